"""A name server whose answers a test decides, over UDP and TCP."""

import socket
import struct
import threading
from typing import Callable

A, AAAA, CNAME = 1, 28, 5
OK, SERVER_FAILURE, NO_NAME, REFUSED = 0, 2, 3, 5


def encode_name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def read_question(query: bytes) -> tuple[str, int, bytes]:
    """Name, type, and the bytes of the question."""
    labels, place = [], 12
    while length := query[place]:
        labels.append(query[place + 1:place + 1 + length].decode())
        place += length + 1
    kind = struct.unpack("!H", query[place + 1:place + 3])[0]
    return ".".join(labels).lower(), kind, query[12:place + 5]


def record(name: str, kind: int, data: bytes, ttl: int = 1) -> bytes:
    """Of the name that was asked for when `name` is empty, by a pointer to it."""
    return (encode_name(name) if name else b"\xc0\x0c") + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def address(name: str, text: str, ttl: int = 1) -> bytes:
    return record(name, A, socket.inet_aton(text), ttl)


def message(query: bytes, records: list[bytes] = (), code: int = OK, truncated: bool = False, number: int | None = None) -> bytes:
    question = read_question(query)[2]
    asked = struct.unpack("!H", query[:2])[0]
    flags = 0x8180 | code | (0x0200 if truncated else 0)
    return struct.pack("!HHHHHH", asked if number is None else number, flags, 1, len(records), 0, 0) + question + b"".join(records)


class NameServer:
    """`answer(query, is_tcp)` gives the messages to send back, none for silence."""

    def __init__(self, answer: Callable[[bytes, bool], list[bytes]], host: str = "127.0.0.1", port: int = 53):
        self.answer = answer
        self.asked: list[tuple[str, int]] = []
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind((host, port))
        self.listener = socket.create_server((host, port))
        for serve in (self.serve_datagrams, self.serve_streams):
            threading.Thread(target=serve, daemon=True).start()

    def reply(self, query: bytes, is_tcp: bool) -> list[bytes]:
        name, kind, _ = read_question(query)
        self.asked.append((name, kind))
        return self.answer(query, is_tcp)

    def serve_datagrams(self) -> None:
        while True:
            query, peer = self.datagrams.recvfrom(65535)
            for answer in self.reply(query, False):
                self.datagrams.sendto(answer, peer)

    def serve_streams(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                size = connection.recv(2, socket.MSG_WAITALL)
                if len(size) == 2:
                    query = connection.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)
                    for answer in self.reply(query, True):
                        connection.sendall(struct.pack("!H", len(answer)) + answer)
