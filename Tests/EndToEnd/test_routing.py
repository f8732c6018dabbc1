"""Which route a request takes, and what a route does with it."""

import json
import re
from urllib.parse import unquote

import pytest

from support.raw import RawClient, get


def echo(connection):
    """Says what arrived."""
    while request := connection.read_request():
        connection.answer(json.dumps({"target": request.target, "host": request.get("host"), "method": request.method}))


def routes(text: str) -> str:
    return f"listen: 127.0.0.1:0\nroutes:\n{text}"


def test_no_route_and_no_method(gateway, upstream):
    peer = upstream()
    running = gateway(routes(f"""
  - {{ path: /only, methods: [GET, PUT], upstream: "{peer.url}" }}
"""))
    missing = get(running.port(), "/other")
    assert missing.status == 404 and json.loads(missing.body)["code"] == "no_route"
    assert missing.get("content-type") == "application/problem+json"
    wrong = get(running.port(), "/only", method="DELETE")
    assert wrong.status == 405 and json.loads(wrong.body)["code"] == "method_not_allowed"
    assert {method.strip() for method in wrong.get("allow").split(",")} >= {"GET", "PUT"}
    assert "DELETE" not in wrong.get("allow")
    assert get(running.port(), "/only", method="HEAD").status == 200, "GET also matches HEAD"
    assert peer.requests[-1].method == "HEAD"


@pytest.mark.parametrize("accept, kind", [
    ("", "application/problem+json"), ("Accept: */*\r\n", "application/problem+json"),
    ("Accept: application/json\r\n", "application/problem+json"), ("Accept: text/plain\r\n", "text/plain"),
    ("Accept: text/html,application/xhtml+xml\r\n", "text/html")])
def test_errors_speak_the_clients_language(gateway, accept, kind):
    running = gateway(routes("  - { path: /x, respond: { status: 200, text: x } }\n"))
    response = get(running.port(), "/none", accept)
    assert response.status == 404
    assert response.get("content-type").startswith(kind)
    assert b"no_route" in response.body


TARGETS = [
    ("/users/42", "user"), ("/users/42/", "rest"), ("/users/", "rest"), ("/users/7/posts/9", "post"), ("/users/me", "me"),
    ("/numbers/12", "number"), ("/numbers/twelve", "rest"), ("/files", "files"), ("/files/", "files"), ("/files/a/b", "files"),
    ("/filesx", "rest"), ("/", "rest"), ("/v1/../users/42", "user"), ("/%75sers/42", "user"), ("/users/a%2fb", "user"),
    ("/users/42?x=/y", "user"), ("/./users/./me", "me"),
]


@pytest.mark.parametrize("target, name", TARGETS)
def test_the_most_specific_route_wins(gateway, target, name):
    running = gateway(routes("".join(f'  - {{ path: "{path}", respond: {{ text: {text} }} }}\n' for path, text in [
        ("/*", "rest"), ("/files/*", "files"), ("/users/{id}", "user"), ("/users/me", "me"), ("/users/{id}/posts/{post}", "post"),
        ("/numbers/{n:[0-9]+}", "number")])))
    assert get(running.port(), target).body.decode() == name


def test_hosts(gateway):
    running = gateway(routes("""
  - { path: /*, host: api.example.com, respond: { text: exact } }
  - { path: /*, host: "*.example.com", respond: { text: wildcard } }
  - { path: /*, host: "*.eu.example.com", respond: { text: longer } }
  - { path: /*, respond: { text: any } }
"""))
    expected = {"api.example.com": "exact", "API.Example.COM": "exact", "api.example.com:8080": "exact", "www.example.com": "wildcard",
                "a.b.example.com": "wildcard", "x.eu.example.com": "longer", "example.com": "any", "other.test": "any"}
    for host, text in expected.items():
        assert get(running.port(), host=host).body.decode() == text, host


def test_conditions(gateway):
    running = gateway(routes("""
  - { path: /*, respond: { text: plain } }
  - { path: /*, headers: { X-Version: "2" }, respond: { text: two } }
  - { path: /*, headers: { X-Version: { regex: "^3" } }, priority: 2, respond: { text: three } }
  - { path: /*, query: { debug: { present: true } }, priority: 1, respond: { text: debug } }
  - { path: /*, query: { debug: { present: true } }, methods: [POST], priority: 1, respond: { text: post } }
"""))
    assert get(running.port()).body == b"plain"
    assert get(running.port(), fields="X-Version: 2\r\n").body == b"two"
    assert get(running.port(), fields="X-Version: 3.1\r\n").body == b"three"
    assert get(running.port(), fields="X-Version: 4\r\n").body == b"plain"
    assert get(running.port(), "/?a=1&debug").body == b"debug"
    assert get(running.port(), "/?debug=", method="POST").body == b"post"


def test_redirects(gateway):
    running = gateway(routes("""
  - { path: "/old/{rest...}", redirect: { to: "/new/{path.rest}", status: 308 } }
  - { path: /home, redirect: { to: "https://www.shop.test/", status: 302 } }
"""))
    moved = get(running.port(), "/old/a/b")
    assert (moved.status, moved.get("location")) == (308, "/new/a/b")
    home = get(running.port(), "/home", host="shop.test")
    assert (home.status, home.get("location")) == (302, "https://www.shop.test/")
    evil = get(running.port(), "/old/%0d%0aSet-Cookie:%20a=b")
    assert evil.get("set-cookie") is None


def test_responses(gateway):
    running = gateway(routes("""
  - { path: /json, respond: { status: 200, json: { ok: true, n: [1, 2] } } }
  - { path: /text, respond: { status: 418, text: "short and stout" } }
"""))
    as_json = get(running.port(), "/json")
    assert as_json.get("content-type").startswith("application/json") and json.loads(as_json.body) == {"ok": True, "n": [1, 2]}
    as_text = get(running.port(), "/text")
    assert (as_text.status, as_text.body) == (418, b"short and stout") and as_text.get("content-type").startswith("text/plain")
    with RawClient(running.port()) as client:
        assert client.get("/json", method="HEAD").get("content-length") == str(len(as_json.body))
        client.send("POST /text HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello")
        assert client.read_response().status == 418
        assert client.get("/json").status == 200, "the body of the POST is no request"


REWRITES = [
    ('path: "/users/{id}", rewrite: { path: "/v2/people/{path.id}" }', "/users/7?x=1", "/v2/people/7?x=1"),
    ('path: "/api/*", rewrite: { strip_prefix: /api }', "/api/users/7", "/users/7"),
    ('path: "/api/*", rewrite: { strip_prefix: /api }', "/api?a=b", "/?a=b"),
    ('path: "/*", rewrite: { add_prefix: /v3 }', "/users/7", "/v3/users/7"),
    ('path: "/files/{rest...}", rewrite: { path: "/store/{path.rest}" }', "/files/a%2fb/c", "/store/a%2fb/c"),
    ('path: "/*"', "/a//b;c=d/%2F?q=%00&r=a+b%20c", "/a//b;c=d/%2F?q=%00&r=a+b%20c"),
    ('path: "/*"', "/a/../b/./c", "/b/c"),
    ('path: "/*"', "/%41%7e/x", "/A~/x"),
    ('path: "/*"', "/a?", "/a?"),
]


@pytest.mark.parametrize("route, target, arrived", REWRITES)
def test_what_is_forwarded(gateway, upstream, route, target, arrived):
    peer = upstream(echo)
    running = gateway(routes(f'  - {{ {route}, upstream: "{peer.url}" }}\n'))
    # An escape that is kept may be written with other digits of the same value.
    assert json.loads(get(running.port(), target).body)["target"].replace("%2F", "%2f") == arrived.replace("%2F", "%2f")


@pytest.mark.parametrize("target", [
    "/pub/../admin", "/pub/%2e%2e/admin", "/pub/.%2e/admin", "/./admin", "/admin/.", "/%61dmin", "/adm%69n/", "/admin?", "/admin?x",
    "/admin/..;/admin", "/pub/..%2fadmin", "/pub%2f..%2fadmin", "/pub/..%5cadmin", "/pub/..;/admin", "/pub/;a=b/../admin",
    "/pub/%c0%ae%c0%ae/admin", "/pub/%u002e%u002e/admin", "http://a.test/admin", "/pub/..././admin", "/../admin", "/%2561dmin",
    "/admin%00", "/admin%09", "//admin", "/admin;x", "/ADMIN", "/admin%20"])
def test_no_spelling_of_a_protected_path_reaches_the_service(gateway, upstream, target):
    """Whatever passes is, by the rules of RFC 3986, not below /admin."""
    peer = upstream(echo)
    running = gateway(f"""
listen: 127.0.0.1:0
routes:
  - {{ path: /admin/*, respond: {{ status: 403, text: no }} }}
  - {{ path: /*, upstream: "{peer.url}" }}
""")
    response = get(running.port(), target)
    if response.status in (400, 403):
        assert peer.requests == []
        return
    assert response.status == 200
    path = json.loads(response.body)["target"].split("?")[0]
    segments = []
    for segment in unquote(re.sub("%2[fF]", "%252F", path)).split("/")[1:]:
        if segment == "..":
            segments = segments[:-1]
        elif segment != ".":
            segments.append(segment)
    assert segments[0] != "admin", path


def test_groups_hand_down_host_path_and_middleware(gateway, upstream):
    peer = upstream(echo)
    running = gateway(f"""
listen: 127.0.0.1:0
middleware:
  mark: {{ headers: {{ response: {{ set: {{ X-Mark: shop }} }} }} }}
routes:
  - host: shop.test
    path: /shop
    middleware: [mark]
    routes: [ {{ path: /cart, upstream: "{peer.url}" }}, {{ path: /*, respond: {{ text: rest }} }} ]
""")
    cart = get(running.port(), "/shop/cart", host="shop.test")
    assert json.loads(cart.body)["target"] == "/shop/cart" and cart.get("x-mark") == "shop"
    assert get(running.port(), "/shop/other", host="shop.test").body == b"rest"
    assert get(running.port(), "/shop/cart", host="other.test").status == 404


def test_listeners_of_a_route(gateway):
    running = gateway("""
listeners:
  inside: { bind: ["127.0.0.1:0"] }
  outside: { bind: ["127.0.0.2:0"] }
routes:
  - { path: /secret, listeners: [inside], respond: { text: secret } }
  - { path: /open, respond: { text: open } }
""")
    assert get(running.port("inside"), "/secret").body == b"secret"
    assert get(running.address("outside"), "/secret").status == 404
    assert get(running.address("outside"), "/open").body == b"open"


def test_priority_decides_what_would_be_a_conflict(gateway):
    running = gateway(routes("""
  - { path: /*, headers: { X-A: { present: true } }, priority: 1, respond: { text: a } }
  - { path: /*, headers: { X-B: { present: true } }, respond: { text: b } }
"""))
    assert get(running.port(), fields="X-A: 1\r\nX-B: 1\r\n").body == b"a"
    assert get(running.port(), fields="X-B: 1\r\n").body == b"b"
