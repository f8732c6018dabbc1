"""The FastAPI service behind the gateway, on uvicorn. Started with the path of a file that gets its port."""

import asyncio
import os
import socket
import sys

import uvicorn
from fastapi import FastAPI, Header, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float


@app.get("/items/{item_id}")
async def item(item_id: int, request: Request, q: str | None = None, x_token: str | None = Header(default=None)):
    return {"id": item_id, "q": q, "token": x_token, "client": request.headers.get("x-forwarded-for")}


@app.post("/items", status_code=201)
async def create(item: Item):
    return {"created": item.model_dump()}


@app.post("/receive")
async def receive(request: Request):
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
    return {"length": length}


@app.get("/stream")
async def stream():
    async def parts():
        for number in range(5):
            yield f"part {number}\n"
            await asyncio.sleep(0)
    return StreamingResponse(parts(), media_type="text/plain")


@app.websocket("/ws")
async def echo(channel: WebSocket):
    await channel.accept()
    try:
        while True:
            message = await channel.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is not None:
                await channel.send_text(message["text"])
            else:
                await channel.send_bytes(message["bytes"])
    except WebSocketDisconnect:
        pass


def main(port_file: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    with open(port_file + ".new", "w") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(port_file + ".new", port_file)
    config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=300, proxy_headers=False)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main(sys.argv[1])
