"""Every built-in middleware, alone and in company."""

import base64
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.keys import key_hash
from support.raw import RawClient, get, unused_port


def mirror(connection):
    """Answers with the fields that arrived."""
    while request := connection.read_request():
        connection.answer(json.dumps(request.fields), fields="X-From: service\r\nServer: secret/1\r\n")


def fields(response) -> dict[str, str]:
    return dict(json.loads(response.body))


def one(middleware: str, url: str, more: str = "") -> str:
    """A gateway whose only route runs one middleware."""
    return f"""
listen: 127.0.0.1:0
middleware:
  it: {{ {middleware} }}
{more}
routes:
  - {{ path: "/users/{{id}}", middleware: [it], upstream: "{url}" }}
  - {{ path: "/*", middleware: [it], upstream: "{url}" }}
"""


def test_headers(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  it:
    headers:
      request:
        set: {{ X-User: "{{path.id}}", Authorization: "Bearer ${{env:TEST_TOKEN}}", X-Where: "{{method}} {{host}} {{path}} {{query.q}}" }}
        add: {{ X-Many: second }}
        remove: [Cookie]
      response:
        set: {{ X-Frame-Options: DENY, X-Route: "{{route}}" }}
        remove: [Server]
routes:
  - {{ name: user, path: "/users/{{id}}", middleware: [it], upstream: "{peer.url}" }}
""", environment={"TEST_TOKEN": "t0ken"})
    response = get(running.port(), "/users/7?q=x", "Cookie: a=b\r\nX-User: forged\r\nX-Many: first\r\nAuthorization: Basic eDp5\r\n")
    arrived = json.loads(response.body)
    assert [value for name, value in arrived if name == "x-user"] == ["7"]
    assert [value for name, value in arrived if name == "authorization"] == ["Bearer t0ken"]
    assert [value for name, value in arrived if name == "x-many"] == ["first", "second"]
    assert [value for name, value in arrived if name == "x-where"] == ["GET a.test /users/7 x"]
    assert not [value for name, value in arrived if name == "cookie"]
    assert response.get("x-frame-options") == "DENY" and response.get("x-route") == "user"
    assert response.get("server") is None and response.get("x-from") == "service"


def test_variables_never_make_a_new_line_or_expand_twice(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(one('headers: { request: { set: { X-Q: "{query.q}", X-H: "{header.X-In}" } } }', peer.url))
    response = get(running.port(), "/?q=a%0d%0aX-Evil:%201", "X-In: {path} ${env:HOME}\r\n")
    if response.status == 200:
        assert "x-evil" not in fields(response)
        assert fields(response).get("x-h", "") in ("", "{path} ${env:HOME}")
    peer.requests.clear()


def test_secrets_are_in_no_log(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(one('headers: { request: { set: { Authorization: "Bearer ${env:TEST_TOKEN}" } } }', peer.url),
                      environment={"TEST_TOKEN": "very-secret-token"})
    assert get(running.port(), "/", "X-Api-Key: other-secret\r\nAuthorization: Basic c2VjcmV0\r\n").status == 200
    running.entries(1)
    assert running.reload()
    everything = running.log() + running.access_log_path.read_text()
    assert "very-secret-token" not in everything and "c2VjcmV0" not in everything


def test_api_key_in_a_header(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(one(f'api_key: {{ header: X-Api-Key, keys: {{ ada: "{key_hash("right")}", bob: "{key_hash("other")}" }} }}', peer.url))
    none = get(running.port())
    assert none.status == 401 and json.loads(none.body)["code"] == "unauthorized" and none.get("www-authenticate")
    assert get(running.port(), fields="X-Api-Key: wrong\r\n").status == 401
    assert get(running.port(), fields="X-Api-Key: \r\n").status == 401
    assert get(running.port(), fields="X-Api-Key: right\r\nX-Api-Key: right\r\n").status in (400, 401)
    assert peer.requests == []
    for key, identity in (("right", "ada"), ("other", "bob")):
        response = get(running.port(), fields=f"X-Api-Key: {key}\r\nX-Identity: root\r\nX_Identity: root\r\nx-identity: root\r\n")
        assert fields(response)["x-identity"] == identity
        assert [name for name, _ in json.loads(response.body)].count("x-identity") == 1
        assert "x-api-key" not in fields(response), "the key goes no further"
    assert "right" not in running.access_log_path.read_text()


def test_api_key_in_the_query(gateway, upstream):
    peer = upstream()
    running = gateway(one(f'api_key: {{ query: key, keys: {{ ada: "{key_hash("right")}" }} }}', peer.url))
    assert get(running.port(), "/x?a=1").status == 401
    assert get(running.port(), "/x?key=wrong").status == 401
    assert get(running.port(), "/x?a=1&key=right&b=2").status == 200
    assert "right" not in peer.requests[0].target
    assert "a=1" in peer.requests[0].target and "b=2" in peer.requests[0].target
    assert "key=right" not in running.access_log_path.read_text()


HASHES = ["bcrypt", "sha256", "sha512"]


@pytest.fixture(scope="module")
def password_hashes():
    """crypt(3) hashes of `correct horse`, made by the system's own library."""
    import ctypes
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salts = {"bcrypt": b"$2b$04$abcdefghijklmnopqrstuu", "sha256": b"$5$rounds=1000$saltsalt$", "sha512": b"$6$rounds=1000$saltsalt$"}
    made = {}
    for name, salt in salts.items():
        made[name] = library.crypt(b"correct horse", salt).decode()
        assert len(made[name]) > 20, name
    return made


@pytest.mark.parametrize("kind", HASHES)
def test_basic_auth(gateway, upstream, password_hashes, kind):
    peer = upstream(mirror)
    running = gateway(one(f'basic_auth: {{ realm: "the shop", users: {{ ada: "{password_hashes[kind]}" }} }}', peer.url))

    def credentials(text: str) -> str:
        return f"Authorization: Basic {base64.b64encode(text.encode()).decode()}\r\n"

    none = get(running.port())
    assert none.status == 401
    assert re.match(r'Basic realm="the shop"', none.get("www-authenticate"))
    for wrong in ("ada:wrong", "bob:correct horse", "ada:", ":correct horse", "ada"):
        assert get(running.port(), fields=credentials(wrong)).status == 401, wrong
    for malformed in ("Authorization: Basic !!!\r\n", "Authorization: Bearer x\r\n", "Authorization: Basic\r\n"):
        assert get(running.port(), fields=malformed).status == 401, malformed
    assert peer.requests == []
    for _ in range(3):
        response = get(running.port(), fields=credentials("ada:correct horse") + "X-Identity: root\r\n")
        assert response.status == 200 and fields(response)["x-identity"] == "ada"


def test_passwords_do_not_hold_up_others(gateway, upstream, password_hashes):
    """Hashing runs beside the event loop: a plain route answers while many passwords are checked."""
    import ctypes
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    slow = library.crypt(b"x", b"$2b$12$abcdefghijklmnopqrstuu").decode()
    peer = upstream()
    running = gateway(f"""
listen: 127.0.0.1:0
workers: 1
middleware:
  it: {{ basic_auth: {{ users: {{ ada: "{slow}" }} }} }}
routes:
  - {{ path: /locked, middleware: [it], upstream: "{peer.url}" }}
  - {{ path: /open, upstream: "{peer.url}" }}
""")
    with ThreadPoolExecutor(4) as pool:
        checks = [pool.submit(get, running.port(), "/locked", f"Authorization: Basic {base64.b64encode(b'ada:%d' % n).decode()}\r\n")
                  for n in range(4)]
        time.sleep(0.1)
        start = time.monotonic()
        assert get(running.port(), "/open").status == 200
        assert time.monotonic() - start < 2
        hurried = sum(check.done() for check in checks)
        assert {check.result().status for check in checks} == {401}
    assert hurried < 4, "the passwords were checked before the plain request: nothing was shown"


def test_rate_limit(gateway, upstream):
    peer = upstream()
    running = gateway(one("rate_limit: { rate: 3/h, burst: 3, key: client_ip }", peer.url))
    allowed = [get(running.port()) for _ in range(3)]
    assert [response.status for response in allowed] == [200, 200, 200]
    assert allowed[0].get("ratelimit") and allowed[0].get("ratelimit-policy")
    refused = get(running.port())
    assert refused.status == 429 and json.loads(refused.body)["code"] == "rate_limited"
    assert 1 <= int(refused.get("retry-after")) <= 1200
    assert refused.get("ratelimit-policy")
    assert len(peer.requests) == 3


def test_rejected_calls_do_not_count(gateway, upstream):
    peer = upstream()
    running = gateway(one("rate_limit: { rate: 2/s, burst: 1, key: client_ip }", peer.url))
    assert get(running.port()).status == 200
    end = time.monotonic() + 5
    while get(running.port()).status != 200:
        assert time.monotonic() < end, "calls that were refused kept the bucket full"
        time.sleep(0.05)


def test_the_rate_limit_is_exact_over_all_workers(gateway, upstream):
    def script(connection):
        while connection.read_request():
            connection.answer()
    peer = upstream(script)
    running = gateway("workers: 4\n" + one("rate_limit: { rate: 100/h, burst: 100, key: client_ip }", peer.url))
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: get(running.port()).status, range(300)))
    assert statuses.count(200) in (100, 101), statuses.count(200)
    assert statuses.count(200) + statuses.count(429) == 300


@pytest.mark.parametrize("key, same, other", [
    ("header.X-Tenant", "X-Tenant: a\r\n", "X-Tenant: b\r\n"),
    ("[header.X-Tenant, route]", "X-Tenant: a\r\n", "X-Tenant: b\r\n"),
    ("identity", "X-Api-Key: a\r\n", "X-Api-Key: b\r\n")])
def test_keys_of_the_rate_limit(gateway, upstream, key, same, other):
    peer = upstream()
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  who: {{ api_key: {{ header: X-Api-Key, keys: {{ ada: "{key_hash('a')}", bob: "{key_hash('b')}" }} }} }}
  it: {{ rate_limit: {{ rate: 1/h, burst: 1, key: {key} }} }}
routes:
  - {{ path: /*, middleware: {'[who, it]' if key == 'identity' else '[it]'}, upstream: "{peer.url}" }}
""")
    assert [get(running.port(), fields=same).status for _ in range(2)] == [200, 429]
    assert get(running.port(), fields=other).status == 200


def test_forged_addresses_do_not_change_the_bucket(gateway, upstream):
    peer = upstream()
    running = gateway(one("rate_limit: { rate: 1/h, burst: 1, key: client_ip }", peer.url))
    statuses = [get(running.port(), fields=f"X-Forwarded-For: 10.0.0.{n}\r\nForwarded: for=10.0.0.{n}\r\n").status for n in range(5)]
    assert statuses == [200, 429, 429, 429, 429]


def test_forwarding_fields_go_whole_or_the_request_does_not(gateway, upstream):
    """What middleware adds and what trusted proxies said share their room with our own fields."""
    peer = upstream(mirror)
    added = ", ".join(f"x-{number}: {'v' * 900}" for number in range(9))
    running = gateway("trusted_proxies: [127.0.0.0/8]\n" + one(f"headers: {{ request: {{ set: {{ {added} }} }} }}", peer.url))
    chain = ", ".join(["192.0.2.1"] * 400)
    answer = get(running.port(), fields=f"X-Forwarded-For: {chain}\r\n")
    assert answer.status == 200
    assert {name.lower(): value for name, value in fields(answer).items()}["x-forwarded-for"] == chain + ", 127.0.0.1"
    assert get(running.port(), fields=f"X-Forwarded-For: {chain}\r\n" * 2).status == 431


def test_trusted_proxies_name_the_client(gateway, upstream):
    peer = upstream()
    running = gateway("trusted_proxies: [127.0.0.0/8]\n" + one("rate_limit: { rate: 1/h, burst: 1, key: client_ip }", peer.url))
    assert [get(running.port(), fields=f"X-Forwarded-For: 10.0.0.{n}\r\n").status for n in range(3)] == [200] * 3
    assert get(running.port(), fields="X-Forwarded-For: 10.0.0.1\r\n").status == 429
    # The right-most address that is not trusted is the client: what stands left of it is the client's own claim.
    assert get(running.port(), fields="X-Forwarded-For: 9.9.9.9, 10.0.0.1\r\n").status == 429
    # Many addresses of one /64 are one client.
    statuses = [get(running.port(), fields=f"X-Forwarded-For: 2001:db8::{n:x}\r\n").status for n in range(1, 6)]
    assert statuses == [200, 429, 429, 429, 429]
    assert get(running.port(), fields="X-Forwarded-For: 2001:db8:0:1::1\r\n").status == 200


def test_ip_filter(gateway, upstream):
    peer = upstream()
    running = gateway(f"""
listen: 127.0.0.1:0
trusted_proxies: [127.0.0.1/32]
middleware:
  inside: {{ ip_filter: {{ allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.6.6.0/24] }} }}
  outside: {{ ip_filter: {{ deny: [10.6.6.6] }} }}
routes:
  - {{ path: /inside, middleware: [inside], upstream: "{peer.url}" }}
  - {{ path: /outside, middleware: [outside], upstream: "{peer.url}" }}
""")

    def status(path: str, client: str) -> int:
        return get(running.port(), path, f"X-Forwarded-For: {client}\r\n").status

    assert [status("/inside", client) for client in ("10.1.2.3", "2001:db8::1", "10.6.6.9", "11.0.0.1", "2001:db9::1")] == [
        200, 200, 403, 403, 403]
    assert [status("/outside", client) for client in ("10.6.6.6", "::ffff:10.6.6.6", "10.6.6.7")] == [403, 403, 200]
    refused = get(running.port(), "/inside")
    assert refused.status == 403 and json.loads(refused.body)["code"] == "forbidden"


def test_body_limit_before_an_answer_of_our_own(gateway):
    running = gateway("""
listen: 127.0.0.1:0
middleware: { it: { body_limit: 1KiB } }
routes: [{ path: /*, middleware: [it], respond: { status: 200, text: own } }]
""")
    head = b"POST / HTTP/1.1\r\nHost: a.test\r\n"
    with RawClient(running.port()) as client:
        client.send(head + b"Content-Length: 1025\r\n\r\n" + bytes(1025))
        assert client.read_response().status == 413
    # A body without a length is not read at all: the answer does not depend on it, and nothing behind it is a request.
    with RawClient(running.port()) as client:
        client.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"401\r\n" + bytes(1025) + b"\r\n0\r\n\r\n"
                    + head + b"Content-Length: 0\r\n\r\n")
        response = client.read_response()
        assert (response.status, response.body, response.get("connection")) == (200, b"own", "close")
        assert client.rest() == b""


def test_body_limit(gateway, upstream):
    def script(connection):
        while request := connection.read_request():
            connection.answer(str(len(request.body)))
    peer = upstream(script)
    running = gateway(one("body_limit: 1KiB", peer.url))
    with RawClient(running.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1024\r\n\r\n" + bytes(1024))
        assert client.read_response().body == b"1024"
    assert len(peer.requests) == 1
    with RawClient(running.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1025\r\n\r\n" + bytes(1025))
        response = client.read_response()
        assert response.status == 413 and json.loads(response.body)["code"] == "body_too_large"
    assert len(peer.requests) == 1, "a length beyond the limit is refused before the upstream sees it"
    with RawClient(running.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + b"200\r\n" + bytes(512) + b"\r\n" + b"201\r\n" + bytes(513) + b"\r\n0\r\n\r\n")
        assert client.read_response().status == 413
    with RawClient(running.port()) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + b"400\r\n" + bytes(1024) + b"\r\n0\r\n\r\n")
        assert client.read_response().body == b"1024"


def test_request_ids(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(one("request_id: { header: X-Request-Id, trust_clients: true, respond: true }", peer.url))
    made = get(running.port())
    identifier = fields(made)["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", identifier) and made.get("x-request-id") == identifier
    kept = get(running.port(), fields="X-Request-Id: mine-1\r\n")
    assert fields(kept)["x-request-id"] == "mine-1" and kept.get("x-request-id") == "mine-1"
    long = get(running.port(), fields=f"X-Request-Id: {'x' * 5000}\r\n")
    assert len(fields(long)["x-request-id"]) <= 128
    assert {identifier, "mine-1"} < {line["request_id"] for line in running.entries(3)}


def test_request_ids_of_strangers_are_not_believed(proxy, upstream):
    running = proxy(upstream(mirror).url)
    response = get(running.port(), fields="X-Request-Id: forged\r\n")
    assert fields(response)["x-request-id"] != "forged"
    assert fields(response)["x-request-id"] == running.entry()["request_id"]


def test_cors(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(one("""cors: { origins: ["https://app.test"], methods: [GET, PUT], headers: [X-Token],
      expose_headers: [X-From], credentials: true, max_age: 5m }""", peer.url))
    plain = get(running.port(), fields="Origin: https://app.test\r\n")
    assert plain.get("access-control-allow-origin") == "https://app.test"
    assert plain.get("access-control-allow-credentials") == "true"
    assert plain.get("access-control-expose-headers").lower() == "x-from"
    assert "origin" in plain.get("vary").lower()
    for origin in ("https://evil.test", "https://app.test.evil.test", "http://app.test", "null", "https://APP.test:444"):
        assert get(running.port(), fields=f"Origin: {origin}\r\n").get("access-control-allow-origin") is None, origin
    asked = len(peer.requests)
    preflight = get(running.port(), method="OPTIONS", fields="Origin: https://app.test\r\nAccess-Control-Request-Method: PUT\r\n"
                    "Access-Control-Request-Headers: x-token\r\n")
    assert preflight.status in (200, 204)
    assert preflight.get("access-control-allow-origin") == "https://app.test"
    assert "PUT" in preflight.get("access-control-allow-methods")
    assert "x-token" in preflight.get("access-control-allow-headers").lower()
    assert preflight.get("access-control-max-age") == "300"
    assert len(peer.requests) == asked, "a preflight is answered by the gateway"
    for wrong in ("Origin: https://evil.test\r\nAccess-Control-Request-Method: PUT\r\n",
                  "Origin: https://app.test\r\nAccess-Control-Request-Method: DELETE\r\n"):
        assert "DELETE" not in (get(running.port(), method="OPTIONS", fields=wrong).get("access-control-allow-methods") or "")
    assert get(running.port(), method="OPTIONS", fields="Origin: https://evil.test\r\nAccess-Control-Request-Method: PUT\r\n").get(
        "access-control-allow-origin") is None


PREFLIGHT = "Origin: {}\r\nAccess-Control-Request-Method: {}\r\n"


def test_cors_answers_preflights_of_routes_with_methods(gateway, upstream):
    api, rest = upstream(mirror), upstream(mirror)
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  c: {{ cors: {{ origins: ["https://a.test"], methods: [GET, PUT, PURGE] }} }}
  blind: {{ headers: {{ request: {{ remove: [Origin] }} }} }}
routes:
  - {{ name: api, path: /api, methods: [GET, PUT, PURGE], middleware: [c], upstream: "{api.url}" }}
  - {{ name: plain, path: /plain, methods: [PUT], upstream: "{api.url}" }}
  - {{ name: blind, path: /blind, methods: [PUT], middleware: [blind, c], upstream: "{api.url}" }}
  - {{ name: moved, path: /moved, methods: [GET], middleware: [c], redirect: "/api" }}
  - {{ name: rest, path: "/*", upstream: "{rest.url}" }}
""")

    def ask(path, origin="https://a.test", method="PUT"):
        return get(running.port(), path, PREFLIGHT.format(origin, method), method="OPTIONS")

    for method in ("GET", "PUT", "PURGE"):
        answer = ask("/api", method=method)
        assert answer.status == 204 and answer.get("access-control-allow-origin") == "https://a.test", method
        assert answer.get("access-control-allow-methods") == "GET, PUT, PURGE"
    assert ask("/moved", method="GET").status == 204
    # An origin that may not is told nothing, and still nobody else is asked.
    answer = ask("/api", origin="https://evil.test")
    assert answer.status == 204 and answer.get("access-control-allow-origin") is None
    assert api.requests == [] and rest.requests == []
    # Without the fields in front of `cors` the request is not one that the route serves.
    answer = ask("/blind")
    assert answer.status == 405 and "PUT" in answer.get("allow")
    assert api.requests == [] and rest.requests == []
    # Another method is another route's business, and so is a route without `cors`.
    assert ask("/api", method="DELETE").status == 200 and ask("/plain").status == 200
    # What is no preflight is routed as what it is.
    assert get(running.port(), "/api", "Origin: https://a.test\r\n", method="OPTIONS").status == 200
    assert get(running.port(), "/api", "Access-Control-Request-Method: PUT\r\n", method="OPTIONS").status == 200
    assert [request.method for request in rest.requests] == ["OPTIONS"] * 4 and api.requests == []
    assert [line["route"] for line in running.entries(10)].count("api") == 4


def test_identities_are_taken_from_clients_on_all_routes(gateway, upstream):
    peer, guard = upstream(mirror), Guard(upstream)
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  guard: {{ endpoints: ["{guard.peer.url}"] }}
middleware:
  keys: {{ api_key: {{ header: X-Key, keys: {{ ada: "{key_hash('k')}" }} }} }}
  sso: {{ forward_auth: {{ upstream: guard, request_headers: [Authorization, X-Roles], copy_headers: [X-User, X-Roles, Authorization] }} }}
routes:
  - {{ path: /keys, middleware: [keys], upstream: "{peer.url}" }}
  - {{ path: /sso, middleware: [sso], upstream: "{peer.url}" }}
  - {{ path: /matched, headers: {{ X-Identity: {{ present: true }} }}, respond: {{ status: 418 }} }}
  - {{ path: "/*", upstream: "{peer.url}" }}
""")
    forged = ("X-Identity: evil\r\nx_identity: evil\r\nX.USER: evil\r\nX-Identity2: kept\r\nX-Roles: mine\r\n"
              "Authorization: mine\r\nX-Key: k\r\n")
    for path in ("/", "/matched"):
        arrived = fields(get(running.port(), path, forged))
        assert not {"x-identity", "x_identity", "x.user"} & set(arrived), arrived
        assert arrived["x-identity2"] == "kept"
        # What clients are meant to send is theirs where nobody replaces it.
        assert arrived["x-roles"] == "mine" and arrived["authorization"] == "mine" and arrived["x-key"] == "k"
    assert fields(get(running.port(), "/keys", forged))["x-identity"] == "ada"
    arrived = fields(get(running.port(), "/sso", forged))
    assert arrived["x-user"] == "ada" and arrived["x-roles"] == "admin" and "authorization" not in arrived
    assert guard.peer.requests[0].get("authorization") == "mine" and guard.peer.requests[0].get("x-roles") == "mine"


def test_identity_fields_are_like_any_other_without_a_middleware(proxy, upstream):
    running = proxy(upstream(mirror).url)
    assert fields(get(running.port(), fields="X-Identity: me\r\n"))["x-identity"] == "me"


class Guard:
    """An authentication service for forward_auth: what it answers is set by the test."""

    def __init__(self, upstream):
        self.answer = ("200 OK", "X-User: ada\r\nX-Roles: admin\r\n", "")
        self.peer = upstream(self.script)

    def script(self, connection):
        while connection.read_request():
            if self.answer is None:
                connection.rest()
                return
            status, lines, body = self.answer
            connection.answer(body, status, lines)


@pytest.fixture
def guarded(gateway, upstream):
    guard = Guard(upstream)
    peer = upstream(mirror)
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  guard: {{ endpoints: ["{guard.peer.url}"] }}
middleware:
  it:
    forward_auth: {{ upstream: guard, path: /verify, timeout: 500ms, request_headers: [Authorization, Cookie], copy_headers: [X-User] }}
routes:
  - {{ path: /*, middleware: [it], upstream: "{peer.url}" }}
""")
    return running, guard, peer


def test_forward_auth_lets_pass_and_copies(guarded):
    running, guard, peer = guarded
    response = get(running.port(), "/a/b?c=d", "Authorization: Bearer x\r\nX-User: root\r\nX_User: root\r\nX-Private: 1\r\n")
    assert response.status == 200
    assert fields(response)["x-user"] == "ada"
    assert [name for name, _ in json.loads(response.body)].count("x-user") == 1
    asked = guard.peer.requests[0]
    assert (asked.method, asked.target) == ("GET", "/verify")
    assert asked.get("authorization") == "Bearer x" and asked.get("x-private") is None
    assert asked.get("x-forwarded-method") == "GET" and asked.get("x-forwarded-uri") == "/a/b?c=d"
    assert asked.all("x-forwarded-host") == ["a.test"] and asked.all("x-forwarded-port") == [str(running.port())]
    assert asked.get("content-length") in (None, "0") and not asked.all("transfer-encoding")
    with RawClient(running.port()) as client:
        client.get("/", "X-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 1\r\n", host="A.test:8443")
    asked = guard.peer.requests[1]
    assert asked.all("x-forwarded-host") == ["A.test:8443"] and asked.all("x-forwarded-port") == [str(running.port())]


def test_forward_auth_deletes_what_the_answer_does_not_have(guarded):
    running, guard, peer = guarded
    guard.answer = ("204 No Content", "", "")
    # A 204 has no length; the scripted answer says 0, which is as good.
    response = get(running.port(), "/", "X-User: root\r\n")
    assert response.status == 200 and "x-user" not in fields(response)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "302 Found"])
def test_forward_auth_relays_refusals(guarded, status):
    running, guard, peer = guarded
    guard.answer = (status, "WWW-Authenticate: Bearer\r\nLocation: https://login.test/\r\n", "go away")
    response = get(running.port())
    assert response.first.split(" ")[1] == status[:3]
    assert response.get("www-authenticate") == "Bearer" and response.body == b"go away"
    assert peer.requests == []


@pytest.mark.parametrize("trouble", ["refused", "silent", "broken", "500"])
def test_forward_auth_fails_closed(guarded, trouble):
    running, guard, peer = guarded
    if trouble == "refused":
        guard.peer.stop_listening()
    elif trouble == "silent":
        guard.answer = None
    elif trouble == "broken":
        guard.answer = ("20 What", "", "")
    else:
        guard.answer = ("500 Internal Server Error", "", "")
    start = time.monotonic()
    response = get(running.port())
    assert response.status == 503, response
    code = "middleware_timeout" if trouble == "silent" else "middleware_failed"
    assert json.loads(response.body)["code"] == code and code in response.get("proxy-status")
    assert running.entry()["reason"] == code
    assert time.monotonic() - start < 5
    assert peer.requests == []


def test_forward_auth_keeps_the_body_for_the_service(gateway, upstream):
    guard = Guard(upstream)

    def script(connection):
        while request := connection.read_request():
            connection.answer(request.body)
    peer = upstream(script)
    running = gateway(f"""
listen: 127.0.0.1:0
upstreams:
  guard: {{ endpoints: ["{guard.peer.url}"] }}
middleware:
  it: {{ forward_auth: {{ upstream: guard }} }}
routes:
  - {{ path: /*, middleware: [it], upstream: "{peer.url}" }}
""")
    for size in (5, 300_000):
        with RawClient(running.port()) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % size + b"z" * size)
            assert client.read_response().body == b"z" * size
    assert all(not request.body for request in guard.peer.requests)


def test_defaults_run_first_and_can_be_skipped(gateway, upstream):
    peer = upstream(mirror)
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  first: {{ headers: {{ request: {{ add: {{ X-Order: first }} }} }} }}
  second: {{ headers: {{ request: {{ add: {{ X-Order: second }} }} }} }}
defaults: {{ middleware: [first] }}
routes:
  - {{ path: /both, middleware: [second], upstream: "{peer.url}" }}
  - {{ path: /one, skip: [first], middleware: [second], upstream: "{peer.url}" }}
  - {{ path: /inline, middleware: [{{ headers: {{ request: {{ add: {{ X-Order: inline }} }} }} }}], upstream: "{peer.url}" }}
""")

    def order(path: str) -> list[str]:
        return [value for name, value in json.loads(get(running.port(), path).body) if name == "x-order"]

    assert order("/both") == ["first", "second"]
    assert order("/one") == ["second"]
    assert order("/inline") == ["first", "inline"]


def test_the_first_refusal_ends_the_pipeline(gateway, upstream):
    peer = upstream()
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  limit: {{ rate_limit: {{ rate: 1/h, burst: 1, key: client_ip }} }}
  keys: {{ api_key: {{ header: X-Api-Key, keys: {{ ada: "{key_hash('right')}" }} }} }}
routes:
  - {{ path: /*, middleware: [limit, keys], upstream: "{peer.url}" }}
""")
    assert get(running.port(), fields="X-Api-Key: wrong\r\n").status == 401
    assert get(running.port(), fields="X-Api-Key: right\r\n").status == 429


def test_middleware_runs_for_responses_that_the_gateway_makes(gateway):
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  it: {{ headers: {{ response: {{ set: {{ X-Mark: here }} }} }} }}
routes:
  - {{ path: /own, middleware: [it], respond: {{ text: own }} }}
  - {{ path: /down, middleware: [it], upstream: "http://127.0.0.1:{unused_port()}" }}
""")
    assert get(running.port(), "/own").get("x-mark") == "here"
    assert get(running.port(), "/down").get("x-mark") == "here"


def test_many_clients_at_once_are_told_apart(gateway, upstream):
    """Suspended and running exchanges share nothing: each gets its own identity."""
    peer = upstream(mirror)
    keys = ", ".join(f'user{n}: "{key_hash(f"key{n}")}"' for n in range(50))
    running = gateway(one(f"api_key: {{ header: X-Api-Key, keys: {{ {keys} }} }}", peer.url))
    barrier = threading.Barrier(25)

    def ask(number: int) -> bool:
        barrier.wait(10)
        return fields(get(running.port(), fields=f"X-Api-Key: key{number}\r\n"))["x-identity"] == f"user{number}"

    with ThreadPoolExecutor(25) as pool:
        assert all(pool.map(ask, range(50)))
