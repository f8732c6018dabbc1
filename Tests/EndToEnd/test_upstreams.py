"""Endpoints, pools, balancing and what is tried again."""

import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.gateway import eventually
from support.raw import Ended, RawClient, get, unused_port


def named(name: str):
    def script(connection):
        while connection.read_request():
            connection.answer(name)
    return script


def service(endpoints: list[str], more: str = "", top: str = "") -> str:
    listed = ", ".join(endpoint if endpoint.startswith("{") else f'"{endpoint}"' for endpoint in endpoints)
    return f"""
listen: 127.0.0.1:0
{top}
upstreams:
  service: {{ endpoints: [{listed}]{", " + more if more else ""} }}
routes:
  - {{ path: /*, upstream: service }}
"""


def counted(running, requests: int, fields: str = "") -> Counter:
    return Counter(get(running.port(), fields=fields).body.decode() for _ in range(requests))


def test_a_refused_endpoint_is_another_ones_turn(gateway, upstream):
    """Nothing was sent: any method goes on, and no request fails."""
    peer = upstream(named("alive"))
    running = gateway(service([f"http://127.0.0.1:{unused_port()}", peer.url]))
    for method in ("GET", "POST", "DELETE"):
        for _ in range(4):
            assert get(running.port(), method=method).body == b"alive"


def test_no_endpoint_listens(gateway):
    running = gateway(service([f"http://127.0.0.1:{unused_port()}", f"http://127.0.0.1:{unused_port()}"]))
    for _ in range(10):
        response = get(running.port())
        assert response.status == 502 and b"connection_refused" in response.body
    assert {line["reason"] for line in running.entries(10)} == {"connection_refused"}


def test_an_endpoint_that_refuses_is_set_aside_and_comes_back(gateway, upstream):
    good, flaky = upstream(named("good")), upstream(named("flaky"))
    flaky.stop_listening()
    running = gateway(service([good.url, flaky.url]))
    assert counted(running, 20) == {"good": 20}
    flaky.listen_again()

    def back():
        return get(running.port()).body == b"flaky"
    eventually(back, 20, "the endpoint's return")


def test_the_last_usable_endpoint_is_never_set_aside(gateway, upstream):
    peer = upstream(named("back"))
    peer.stop_listening()
    running = gateway(service([peer.url]))
    for _ in range(20):
        assert get(running.port()).status == 502
    peer.listen_again()
    assert get(running.port()).body == b"back", "the only endpoint must be tried every time"


def test_round_robin_and_weights(gateway, upstream):
    a, b = upstream(named("a")), upstream(named("b"))
    running = gateway("workers: 1\n" + service([a.url, f'{{ url: "{b.url}", weight: 3 }}']))
    assert counted(running, 40) == {"a": 10, "b": 30}


@pytest.mark.parametrize("balance", ["least_requests", "power_of_two", "random"])
def test_other_balances_use_every_endpoint(gateway, upstream, balance):
    running = gateway(service([upstream(named(name)).url for name in "abc"], f"balance: {balance}"))
    assert set(counted(running, 60)) == {"a", "b", "c"}


def test_least_requests_avoids_the_busy_endpoint(gateway, upstream):
    release = threading.Event()

    def slow(connection):
        while request := connection.read_request():
            if request.target == "/slow":
                release.wait(20)
            connection.answer("slow")

    # Both endpoints hold /slow; only one gets it.
    a, b = upstream(slow), upstream(slow)
    # One worker: on another, the count of an answer that was just sent may still stand.
    running = gateway("workers: 1\n" + service([a.url, b.url], "balance: least_requests"))
    with RawClient(running.port()) as client:
        client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
        eventually(lambda: a.requests or b.requests, what="the slow request")
        busy, free = (a, b) if a.requests else (b, a)
        for _ in range(10):
            get(running.port(), "/fast")
        assert len(free.requests) == 10 and len(busy.requests) == 1
        release.set()
        client.read_response()


def test_hash_keeps_a_key_at_its_endpoint(gateway, upstream):
    running = gateway(service([upstream(named(name)).url for name in "abcd"], "balance: { hash: header.X-User }"))
    homes = {}
    for user in range(40):
        answers = {get(running.port(), fields=f"X-User: u{user}\r\n").body.decode() for _ in range(3)}
        assert len(answers) == 1, "one key, one endpoint"
        homes[user] = answers.pop()
    assert set(homes.values()) == {"a", "b", "c", "d"}


def test_backups_serve_only_when_the_others_cannot(gateway, upstream):
    main, spare = upstream(named("main")), upstream(named("spare"))
    running = gateway(service([main.url, f'{{ url: "{spare.url}", backup: true }}']))
    assert counted(running, 10) == {"main": 10}
    main.stop_listening()
    for connection in main.connections:
        try:
            connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    assert counted(running, 10)["spare"] >= 9


def test_the_pool_limit_is_exact_over_all_workers(gateway, upstream):
    open_at_once = []

    def script(connection):
        open_at_once.append(sum(not one.is_ended() for one in list(peer.connections)))
        while connection.read_request():
            time.sleep(0.01)
            connection.answer()

    peer = upstream(script)
    running = gateway("workers: 4\n" + service([peer.url], "pool: { max_connections: 2 }, timeouts: { queue: 20s }"))
    with ThreadPoolExecutor(24) as pool:
        statuses = list(pool.map(lambda _: get(running.port()).status, range(600)))
    assert statuses == [200] * 600, "nobody waits while a worker holds an idle connection"
    assert max(open_at_once) == 2, open_at_once


def test_no_worker_keeps_a_permit_that_others_wait_for(gateway, upstream):
    """A queue that never runs empty on one worker must not starve those who wait on the others."""
    def script(connection):
        while connection.read_request():
            time.sleep(0.005)
            connection.answer()

    peer = upstream(script)
    running = gateway("workers: 2\n" + service([peer.url], "pool: { max_connections: 1 }, timeouts: { queue: 20s }"))
    clients = [RawClient(running.port()) for _ in range(8)]
    end = time.monotonic() + 3

    def ask(client) -> int:
        answers = 0
        while time.monotonic() < end:
            assert client.get("/").status == 200
            answers += 1
        return answers

    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, clients))
    finally:
        for client in clients:
            client.socket.close()
    assert min(answers) * 10 > max(answers), answers


def test_one_connection_serves_all_workers_in_turn(gateway, upstream):
    peer = upstream()
    running = gateway("workers: 4\n" + service([peer.url], "pool: { max_connections: 1 }, timeouts: { queue: 10s }"))
    clients = [RawClient(running.port()) for _ in range(8)]
    try:
        for _ in range(3):
            for client in clients:
                assert client.get("/").status == 200, "a waiting worker must get the connection that another keeps idle"
    finally:
        for client in clients:
            client.socket.close()


def test_a_stale_connection_is_not_used(gateway, upstream):
    """Its close is visible before the request is sent: even a POST just takes another one."""
    closed = threading.Event()

    def script(connection):
        connection.read_request()
        connection.answer(str(connection.number))
        connection.socket.close()
        closed.set()

    peer = upstream(script)
    running = gateway("workers: 1\n" + service([peer.url]))
    for number in range(1, 6):
        assert get(running.port(), method="POST").body == str(number).encode()
        assert closed.wait(5)
        closed.clear()
        time.sleep(0.02)


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_a_connection_that_dies_on_reuse(gateway, upstream, ending):
    """GET is sent again on a fresh connection; POST is not, for the upstream may have acted on it."""
    def script(connection):
        served = 0
        while connection.read_request():
            served += 1
            if connection.number % 2 == 1 and served == 2:
                if ending == "reset":
                    connection.reset()
                return
            connection.answer("answered")

    peer = upstream(script)
    running = gateway("workers: 1\n" + service([peer.url]))
    with RawClient(running.port()) as client:
        assert client.get("/").body == b"answered"
        assert client.get("/").body == b"answered", "a GET on a connection that died is retried"
    # A new odd connection for the POST.
    peer.connections[-1].socket.shutdown(socket.SHUT_RDWR)
    time.sleep(0.1)
    with RawClient(running.port()) as client:
        assert client.get("/").body == b"answered"
        before = len(peer.requests)
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nonce")
        assert client.read_response().status == 502
        assert len(peer.requests) == before + 1, "a POST that was sent is never sent again"


def test_many_connections_that_die_at_once_fail_no_get(gateway, upstream):
    """Each second attempt has a new connection, and none is refused because so many are made."""
    everybody = threading.Barrier(30)

    def script(connection):
        connection.read_request()
        if connection.number <= 30:
            # So many requests at once that each has a connection of its own, whose next request it does not answer.
            everybody.wait(10)
            connection.answer("first")
            connection.read_request()
            return
        # Not kept: a request of the same round that is late would come back to it.
        connection.answer("second", fields="Connection: close\r\n")
        connection.rest()

    peer = upstream(script)
    running = gateway("workers: 1\n" + service([peer.url]))
    with ThreadPoolExecutor(30) as pool:
        assert set(pool.map(lambda _: get(running.port()).body, range(30))) == {b"first"}
        assert Counter(pool.map(lambda _: get(running.port()).status, range(30))) == {200: 30}
    assert len(peer.connections) == 60


def test_connection_close_of_the_upstream_is_obeyed(gateway, upstream):
    def script(connection):
        while connection.read_request():
            connection.answer(str(connection.number), fields="Connection: close\r\n")
    peer = upstream(script)
    running = gateway(service([peer.url]))
    assert [get(running.port()).body for _ in range(3)] == [b"1", b"2", b"3"]


def test_keep_alive_timeout_of_the_upstream_is_honoured(gateway, upstream):
    def script(connection):
        while connection.read_request():
            connection.answer(str(connection.number), fields="Keep-Alive: timeout=1\r\n")
    peer = upstream(script)
    running = gateway("workers: 1\n" + service([peer.url]))
    assert get(running.port()).body == b"1"
    time.sleep(1.2)
    assert get(running.port(), method="POST").body == b"2"


def test_an_http_1_0_upstream(gateway, upstream):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold")
    running = gateway(service([upstream(script).url]))
    for _ in range(3):
        response = get(running.port())
        assert response.first == "HTTP/1.1 200 OK" and response.body == b"old"


def test_unix_sockets_as_endpoints(gateway, upstream, tmp_path):
    peer = upstream(named("unix"), path=str(tmp_path / "s.sock"))
    running = gateway("workers: 1\n" + service([peer.url]))
    for _ in range(3):
        assert get(running.port()).body == b"unix"
    assert len(peer.connections) == 1
    gone = gateway(service([f"unix:{tmp_path}/none.sock"]))
    assert get(gone.port()).status == 502


def test_names_as_endpoints(gateway, upstream):
    peer = upstream(named("by name"))
    running = gateway(service([f"http://localhost:{peer.port}"]))
    for _ in range(3):
        assert get(running.port()).body == b"by name"


def test_a_reload_has_the_addresses_of_its_new_names(gateway, upstream):
    """Under load: no request may meet a name before its first answer."""
    old, new = upstream(named("old")), upstream(named("new"))
    running = gateway(service([old.url]))
    stop, answers = threading.Event(), []

    def load():
        while not stop.is_set():
            response = get(running.port())
            answers.append((response.status, response.body))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            assert running.reload(service([f"http://localhost:{new.port}"]))
            assert get(running.port()).body == b"new"
            assert running.reload(service([old.url]))
            assert get(running.port()).body == b"old"
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert set(answers) == {(200, b"old"), (200, b"new")}, Counter(answers)


def test_a_restarted_gateway_has_the_addresses_of_its_names(gateway, upstream):
    peer = upstream(named("by name"))
    running = gateway(service([f"http://localhost:{peer.port}"]))
    running.crash_expected = True
    first = running.gateway_pid()
    os.kill(first, signal.SIGSEGV)
    eventually(lambda: not os.path.exists(f"/proc/{first}"), what="the end of the process")
    with RawClient(running.port(), seconds=15) as client:
        assert client.get("/").body == b"by name", "the connection that waited in the backlog finds an address"


@pytest.mark.parametrize("policy, expected", [("pass", "shop.test"), ("endpoint", None), ("inside.test", "inside.test")])
def test_host_policies(gateway, upstream, policy, expected):
    peer = upstream()
    running = gateway(service([peer.url], f"host: {policy}"))
    assert get(running.port(), host="shop.test").status == 200
    assert peer.requests[0].get("host") == (expected or f"127.0.0.1:{peer.port}")


def test_retries_can_be_turned_off(gateway, upstream):
    def script(connection):
        served = 0
        while connection.read_request():
            served += 1
            if served == 2:
                return
            connection.answer()
    peer = upstream(script)
    running = gateway("workers: 1\n" + service([peer.url], "retries: { attempts: 0 }"))
    with RawClient(running.port()) as client:
        assert client.get("/").status == 200
        assert client.get("/").status == 502


def test_a_failing_service_is_not_stormed(gateway, upstream):
    """The budget: retries are at most a share of the requests."""
    def script(connection):
        if connection.read_request():
            connection.reset()
    peer = upstream(script)
    running = gateway(service([peer.url], "retries: { attempts: 3, budget: 20% }"))
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: get(running.port()).status, range(200)))
    assert set(statuses) == {502}
    assert len(peer.requests) <= 200 * 1.2 + 40, len(peer.requests)


def test_forwarded_headers_are_set_anew(proxy, upstream):
    peer = upstream()
    running = proxy(peer.url)
    get(running.port(), "/x", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n"
        "X-Forwarded-Port: 1\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nProxy: http://evil.test\r\n"
        "X_Forwarded_For: 1.2.3.4\r\n", host="shop.test")
    request = peer.requests[0]
    assert request.all("x-forwarded-for") == ["127.0.0.1"]
    assert request.all("x-forwarded-proto") == ["http"]
    assert request.all("x-forwarded-host") in (["shop.test"], [])
    assert "1.2.3.4" not in str(request.fields) and "evil.test" not in str(request.fields)
    assert request.get("proxy") is None
    assert request.get("via")


def test_trusted_peers_are_believed(gateway, upstream):
    peer = upstream()
    running = gateway(service([peer.url], top="trusted_proxies: [127.0.0.1/32]"))
    get(running.port(), "/x", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Request-Id: theirs\r\n")
    request = peer.requests[0]
    assert request.get("x-forwarded-for").replace(" ", "") == "1.2.3.4,127.0.0.1"
    assert request.get("x-forwarded-proto") == "https"
    assert request.get("x-request-id") == "theirs"
    assert running.entry()["client"].startswith("1.2.3.4")


def test_hop_by_hop_fields_go_no_further(proxy, upstream):
    def script(connection):
        while connection.read_request():
            connection.answer(fields="Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=30\r\nProxy-Connection: keep-alive\r\nX-End: 1\r\n")
    peer = upstream(script)
    running = proxy(peer.url)
    with RawClient(running.port()) as client:
        response = client.get("/", "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\n"
                              "Proxy-Connection: keep-alive\r\nX-End: 1\r\n")
    sent = {name for name, _ in peer.requests[0].fields}
    assert "x-end" in sent and not sent & {"x-mine", "keep-alive", "te", "proxy-connection"}
    received = {name for name, _ in response.fields}
    assert "x-end" in received and not received & {"x-hop", "keep-alive", "proxy-connection"}


def test_connection_cannot_name_what_the_gateway_sets(proxy, upstream):
    peer = upstream()
    running = proxy(peer.url)
    get(running.port(), fields="Connection: close, X-Forwarded-For, X-Request-Id, Host\r\n")
    request = peer.requests[0]
    assert request.get("x-forwarded-for") == "127.0.0.1" and request.get("x-request-id") and request.get("host") == "a.test"


def test_errors_say_what_failed_in_one_word_everywhere(gateway):
    import json
    running = gateway(service([f"http://127.0.0.1:{unused_port()}"]))
    response = get(running.port())
    body = json.loads(response.body)
    assert response.status == body["status"] == 502
    assert body["code"] == "connection_refused" and body["title"]
    assert "error=connection_refused" in response.get("proxy-status")
    assert "127.0.0.1" not in response.get("proxy-status"), "no inner address goes outside"
    line = running.entry()
    assert (line["reason"], line["status"], line["request_id"]) == ("connection_refused", 502, body["request_id"])


def test_a_503_of_the_gateway_says_when_to_come_back(gateway, upstream):
    release = threading.Event()

    def script(connection):
        while connection.read_request():
            release.wait(20)
            connection.answer()

    peer = upstream(script)
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  full: {{ endpoints: ["{peer.url}"], pool: {{ max_connections: 1, max_pending: 0 }} }}
  slow: {{ endpoints: ["{peer.url}"], pool: {{ max_connections: 1, max_pending: 9 }}, timeouts: {{ queue: 50ms }} }}
routes:
  - {{ path: /full, upstream: full }}
  - {{ path: /slow, upstream: slow }}
  - {{ path: /own, respond: {{ status: 503 }} }}
""")
    for path, code in ("/full", "connection_limit_reached"), ("/slow", "queue_timeout"):
        with RawClient(running.port()) as first:
            count = len(peer.requests)
            first.send(f"GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n")
            eventually(lambda: len(peer.requests) > count, what="the first request")
            refused = get(running.port(), path)
            assert (refused.status, json.loads(refused.body)["code"], refused.all("retry-after")) == (503, code, ["1"])
    release.set()
    assert get(running.port(), "/own").get("retry-after") is None, "what the configuration answers is its own"
    assert get(running.port(), "/none").get("retry-after") is None


def test_errors_of_the_service_are_not_ours(proxy, upstream):
    def script(connection):
        while connection.read_request():
            connection.answer("own error", "503 Service Unavailable", "Content-Type: text/plain\r\n")
    running = proxy(upstream(script).url)
    response = get(running.port())
    assert (response.status, response.body, response.get("content-type")) == (503, b"own error", "text/plain")
    assert "error=" not in (response.get("proxy-status") or "")


def test_a_dead_client_frees_its_place_in_the_queue(gateway, upstream):
    release = threading.Event()

    def script(connection):
        while connection.read_request():
            release.wait(20)
            connection.answer()

    peer = upstream(script)
    running = gateway(service([peer.url], "pool: { max_connections: 1, max_pending: 1 }, timeouts: { queue: 20s }"))
    with RawClient(running.port()) as first:
        first.send("GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n")
        eventually(lambda: peer.requests, what="the first request")
        with RawClient(running.port()) as second:
            second.send("GET /2 HTTP/1.1\r\nHost: a.test\r\n\r\n")
            time.sleep(0.2)
            second.reset()
        time.sleep(0.2)
        with RawClient(running.port()) as third:
            third.send("GET /3 HTTP/1.1\r\nHost: a.test\r\n\r\n")
            time.sleep(0.2)
            release.set()
            assert first.read_response().status == 200
            try:
                assert third.read_response().status == 200
            except Ended:
                pytest.fail("the third request was dropped")
    assert [request.target for request in peer.requests] == ["/1", "/3"]
