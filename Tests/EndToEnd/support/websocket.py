"""WebSocket frames by hand, for what the libraries do not do."""

import os
import struct

from support.raw import Message, RawClient

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
)
ACCEPTED = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


def frame(opcode: int, payload: bytes = b"", masked: bool = True, final: bool = True) -> bytes:
    head = bytes([(0x80 if final else 0) | opcode])
    flag = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([flag | len(payload)])
    elif len(payload) < 65536:
        head += bytes([flag | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))


def read_frame(source) -> tuple[int, bytes]:
    """Opcode and payload of the next frame, masked or not."""
    first, second = source.exactly(2)
    length = second & 127
    if length == 126:
        length = struct.unpack(">H", source.exactly(2))[0]
    elif length == 127:
        length = struct.unpack(">Q", source.exactly(8))[0]
    mask = source.exactly(4) if second & 128 else bytes(4)
    payload = source.exactly(length)
    return first & 15, bytes(byte ^ mask[index & 3] for index, byte in enumerate(payload))


def close_code(payload: bytes) -> int:
    return struct.unpack(">H", payload[:2])[0]


def upgrade(client: RawClient, path: str = "/ws", fields: str = "") -> Message:
    client.send(UPGRADE.format(path=path, fields=fields))
    return client.read_response()


def accept(connection) -> Message:
    """The upstream's side: takes the upgrade (the key is always the same)."""
    request = connection.read_request()
    connection.send(ACCEPTED)
    return request
