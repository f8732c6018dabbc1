"""Every answer of ours and every request upstream carries an id, whatever the request looked like."""

import json

import pytest

from support.raw import RawClient, get


def config(url: str, more: str = "") -> str:
    return f"{more}listen: 127.0.0.1:0\nroutes:\n  - {{ path: /*, upstream: \"{url}\" }}\n"


@pytest.mark.parametrize("bytes_of_head", [100, 2000, 2017, 2030, 2048, 2049, 9000])
def test_heads_of_every_size_have_an_id(gateway, upstream, bytes_of_head):
    peer = upstream()
    running = gateway(config(peer.url))
    start = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Fill-1: "
    middle = "\r\nX-Fill-2: " if bytes_of_head > 4000 else ""
    fill = bytes_of_head - len(start) - len(middle) - 4
    head = start + "a" * (fill // 2) + middle + "b" * (fill - fill // 2) + "\r\n\r\n"
    assert len(head) == bytes_of_head
    with RawClient(running.port()) as client:
        client.send(head)
        assert client.read_response().status == 200
    assert len(peer.requests[0].get("x-request-id")) == 32


def test_a_request_that_cannot_be_read_has_an_id(gateway, upstream):
    running = gateway(config(upstream().url))
    with RawClient(running.port()) as client:
        client.send("NOT HTTP\r\n\r\n")
        response = client.read_response()
    assert response.status == 400
    assert len(response.get("x-request-id")) == 32
    assert json.loads(response.body)["request_id"] == response.get("x-request-id")


def test_a_trusted_peer_names_the_client_once(gateway, upstream):
    peer = upstream()
    running = gateway(config(peer.url, "trusted_proxies: [127.0.0.0/8]\n"))
    get(running.port(), fields="X-Real-IP: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\n")
    request = peer.requests[0]
    assert request.get("x-real-ip") == "8.8.8.8"
    assert request.get("x-forwarded-for") == "8.8.8.8, 127.0.0.1"
