"""The aiohttp service behind the gateway. Started with the path of a file that gets its port."""

import asyncio
import hashlib
import json
import os
import sys

from aiohttp import WSMsgType, web

CHUNK = bytes(256 * 1024)


@web.middleware
async def stamp(request: web.Request, handler):
    """A middleware of the service, as many have one: its mark must arrive."""
    response = await handler(request)
    if not response.prepared:
        response.headers["X-Service"] = "aiohttp"
    return response


async def user(request: web.Request) -> web.Response:
    return web.json_response({
        "id": request.match_info["id"],
        "method": request.method,
        "query": [[key, value] for key, value in request.query.items()],
        "headers": [[name, value] for name, value in request.headers.items()],
    })


async def create_user(request: web.Request) -> web.Response:
    given = await request.json()
    return web.json_response({"created": given}, status=201, headers={"Location": "/users/7"})


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response({
        "method": request.method,
        "target": request.raw_path,
        "headers": [[name, value] for name, value in request.headers.items()],
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    })


async def status(request: web.Request) -> web.Response:
    code = int(request.match_info["code"])
    return web.Response(status=code, text="" if code in (204, 304) else f"status {code}")


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(float(request.query["seconds"]))
    return web.json_response({"slept": request.query["seconds"]})


async def upload(request: web.Request) -> web.Response:
    """Reads the file of a form and throws it away."""
    length = 0
    reader = await request.multipart()
    name = None
    while part := await reader.next():
        name = part.filename or name
        while chunk := await part.read_chunk(1 << 20):
            length += len(chunk)
    return web.json_response({"filename": name, "length": length})


async def receive(request: web.Request) -> web.Response:
    length = 0
    async for chunk in request.content.iter_any():
        length += len(chunk)
    return web.json_response({"length": length, "chunked": request.headers.get("Transfer-Encoding") == "chunked"})


async def download(request: web.Request) -> web.StreamResponse:
    left = int(request.query["bytes"])
    response = web.StreamResponse()
    if "chunked" in request.query:
        response.enable_chunked_encoding()
    else:
        response.content_length = left
    await response.prepare(request)
    while left > 0:
        await response.write(CHUNK[:left])
        left -= min(left, len(CHUNK))
    await response.write_eof()
    return response


async def events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for number in range(int(request.query.get("count", "3"))):
        await response.write(f"id: {number}\ndata: event {number}\n\n".encode())
        await asyncio.sleep(float(request.query.get("pause", "0")))
    return response


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Echo; `close CODE REASON` closes, `headers` answers with the fields of the upgrade request."""
    channel = web.WebSocketResponse(max_msg_size=8 << 20, protocols=("chat.v2", "chat.v1"))
    await channel.prepare(request)
    async for message in channel:
        if message.type == WSMsgType.BINARY:
            await channel.send_bytes(message.data)
        elif message.type == WSMsgType.TEXT and message.data.startswith("close "):
            _, code, reason = message.data.split(" ", 2)
            await channel.close(code=int(code), message=reason.encode())
        elif message.type == WSMsgType.TEXT and message.data == "headers":
            await channel.send_str(json.dumps([[name, value] for name, value in request.headers.items()]))
        elif message.type == WSMsgType.TEXT:
            await channel.send_str(message.data)
    return channel


async def main(port_file: str) -> None:
    app = web.Application(middlewares=[stamp], client_max_size=64 << 20)
    app.router.add_get("/users/{id}", user)
    app.router.add_post("/users", create_user)
    app.router.add_route("*", "/echo", echo)
    app.router.add_route("*", "/echo/{rest:.*}", echo)
    app.router.add_route("*", "/status/{code}", status)
    app.router.add_get("/slow", slow)
    app.router.add_post("/upload", upload)
    app.router.add_post("/receive", receive)
    app.router.add_get("/download", download)
    app.router.add_get("/events", events)
    app.router.add_get("/ws", socket)
    # The service must not be what closes idle connections first.
    runner = web.AppRunner(app, keepalive_timeout=300, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    with open(port_file + ".new", "w") as file:
        file.write(str(port))
    os.rename(port_file + ".new", port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
