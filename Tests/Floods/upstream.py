"""A service that is broken or taken over: floods of interim responses, heads and bodies that never end, silence.

    upstream.py        listens on a free port of 127.0.0.1 and prints it
"""

import asyncio
import socket

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
FIELD = b"X-Field: " + b"y" * 1000 + b"\r\n"
BLOCK = bytes(65536)


async def endless(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()


async def read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def answer(path: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    match path:
        case b"/large":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            await endless(writer, BLOCK)
        case b"/chunks" | b"/endless-body":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await endless(writer, b"10000\r\n" + BLOCK + b"\r\n")
        case b"/interims":
            await endless(writer, INTERIM * 100)
        case b"/endless-head":
            writer.write(b"HTTP/1.1 200 OK\r\n")
            await endless(writer, FIELD * 16)
        case b"/silent":
            # Neither read nor answered.
            await asyncio.sleep(3600)
        case _:
            await read_all(reader)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await answer(head.split(b" ", 2)[1], reader, writer)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        pass
    finally:
        writer.transport.abort()


async def main() -> None:
    listener = socket.socket()
    # What this end of a connection holds must not fill the memory that the machine has for all of them.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(serve, sock=listener, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
