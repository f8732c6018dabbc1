"""TLS with other people's software: OpenSSL's client, and nginx and HAProxy as services."""

import hashlib
import re
import subprocess

import pytest
import requests

from support.gateway import Gateway
from support.peers import PeerProcess, nginx_config, pair, unused_ports
from support.tls import CA, FIXTURES, certificate, key, pem

REQUEST = b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"


def s_client(port: int, *arguments) -> str:
    """What `openssl s_client` says of a connection with one request."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", "-CAfile", CA, "-verify_return_error", *arguments], input=REQUEST,
        capture_output=True, timeout=30)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.fixture(scope="module")
def secure(martlet, tmp_path_factory):
    """A gateway with listeners for different demands."""
    both = f"certificates: [{certificate('ecdsa')}, {certificate('rsa')}, {certificate('ed25519')}]"
    stapled = f"certificates: {{ cert: {pem('ecdsa')}, key: {key('ecdsa')}, ocsp: {FIXTURES}/ocsp-good.der }}"
    running = Gateway(martlet, tmp_path_factory.mktemp("gateway"), f"""
listeners:
  default: {{ bind: "127.0.0.1:0", tls: {{ {both} }} }}
  strict: {{ bind: "127.0.0.1:0", tls: {{ {both}, ciphers: modern, unknown_name: refuse, session_tickets: false }} }}
  stapled: {{ bind: "127.0.0.1:0", tls: {{ {stapled} }} }}
  demanding: {{ bind: "127.0.0.1:0", tls: {{ {both}, client_auth: {{ ca: {CA} }} }} }}
routes:
  - {{ path: /*, respond: {{ status: 200, headers: {{ X-TLS: "{{tls.version}} {{tls.client_subject}}" }} }} }}
""").start()
    yield running
    assert not running.close()


NAMED = ("-servername", "api.example.com")
SHOWN = ("-cert", pem("client"), "-cert_chain", pem("client"), "-key", key("client"))
OTHERS = ("-cert", pem("self-signed"), "-key", key("self-signed"))


@pytest.mark.parametrize("listener, arguments, expected", [
    # Versions
    ("default", ("-tls1_2", *NAMED), r"New, TLSv1\.2, Cipher is ECDHE-ECDSA-(?s:.*)200 OK"),
    ("default", ("-tls1_3", *NAMED), r"New, TLSv1\.3, Cipher is TLS_(?s:.*)200 OK"),
    ("default", ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "alert protocol version|no protocols available"),
    ("strict", ("-tls1_2", *NAMED), "alert protocol version"),
    ("strict", ("-tls1_3", *NAMED), "200 OK"),
    # Suites and groups
    ("default", ("-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305", *NAMED), "Cipher is ECDHE-RSA-CHACHA20-POLY1305"),
    ("default", ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA", *NAMED), "alert handshake failure"),
    ("default", ("-tls1_2", "-cipher", "AES128-GCM-SHA256", *NAMED), "alert handshake failure"),
    ("default", ("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", *NAMED), "Cipher is TLS_CHACHA20_POLY1305_SHA256"),
    ("default", ("-groups", "P-384", *NAMED), r"Server Temp Key: ECDH, secp384r1"),
    ("default", ("-groups", "X448", *NAMED), "alert handshake failure"),
    # Names
    ("default", NAMED, r"subject=CN = api\.example\.com(?s:.*)Verify return code: 0"),
    ("default", ("-servername", "other.example"), r"subject=CN = other\.example(?s:.*)Verify return code: 0"),
    ("default", ("-servername", "nobody.example"), r"subject=CN = api\.example\.com"),
    ("default", ("-noservername",), r"subject=CN = api\.example\.com"),
    ("strict", ("-servername", "nobody.example"), "unrecognized name"),
    ("strict", ("-noservername",), "200 OK"),
    # The chain, up to the authority
    ("default", ("-showcerts", *NAMED), r"(?s:.*BEGIN CERTIFICATE.*){2}"),
    # Protocols
    ("default", ("-alpn", "http/1.1", *NAMED), "ALPN protocol: http/1.1"),
    ("default", ("-alpn", "spdy/3,http/1.1", *NAMED), "ALPN protocol: http/1.1"),
    ("default", ("-alpn", "imap", *NAMED), "alert no application protocol"),
    ("default", NAMED, "No ALPN negotiated"),
    # OCSP
    ("stapled", ("-status", *NAMED), r"OCSP Response Status: successful(?s:.*)Cert Status: good"),
    ("default", ("-status", *NAMED), "OCSP response: no response sent"),
    # Certificates of clients
    ("demanding", (*SHOWN, "-tls1_3", *NAMED), r"200 OK(?s:.*)TLSv1\.3 CN=A client,O=Martlet tests"),
    ("demanding", (*SHOWN, "-tls1_2", *NAMED), r"200 OK(?s:.*)TLSv1\.2 CN=A client,O=Martlet tests"),
    ("demanding", ("-tls1_3", *NAMED), "alert certificate required"),
    ("demanding", ("-tls1_2", *NAMED), "alert handshake failure"),
    ("demanding", (*OTHERS, "-tls1_3", *NAMED), "alert unknown ca"),
    ("demanding", NAMED, r"Acceptable client certificate CA names\nO = Martlet tests, CN = Root"),
])
def test_what_openssl_says(secure, listener, arguments, expected):
    said = s_client(secure.port(listener), *arguments)
    assert re.search(expected, said), said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("listener", ["default", "demanding"])
def test_openssl_resumes_sessions(secure, tmp_path, listener, version):
    session = tmp_path / "session"
    first = s_client(secure.port(listener), version, *NAMED, *(SHOWN if listener == "demanding" else ()), "-sess_out", session)
    assert re.search(r"^New, TLS", first, re.MULTILINE) and "200 OK" in first
    again = s_client(secure.port(listener), version, *NAMED, "-sess_in", session)
    assert re.search(r"^Reused, TLS", again, re.MULTILINE) and "200 OK" in again
    assert ("CN=A client" in again) == (listener == "demanding"), "the session knows its client"


def test_openssl_gets_a_ticket_only_where_there_are_any(secure):
    arrived = "Post-Handshake New Session Ticket arrived"
    assert s_client(secure.port("default"), "-tls1_3", *NAMED).count(arrived) == 1
    assert arrived not in s_client(secure.port("strict"), "-tls1_3", *NAMED)


# nginx and HAProxy as services


class Peer(PeerProcess):
    """nginx or HAProxy, which end TLS before a plain service of ours: on `url` with connections that stay, on `closing` with one
    for each request."""

    def __init__(self, kind: str, folder, service: int, versions: str = "TLSv1.2 TLSv1.3", asks: str = "optional"):
        ports = unused_ports(2)
        self.url, self.closing = (f"https://127.0.0.1:{port}" for port in ports)
        pair(folder)
        if kind == "nginx":
            text = self.nginx(folder, ports, service, versions, "on" if asks == "required" else asks)
        else:
            text = self.haproxy(folder, ports, service, versions, asks)
        super().__init__(kind, folder, text, ports)

    @staticmethod
    def nginx(folder, ports, service, versions, asks) -> str:
        servers = "".join(f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    keepalive_timeout {timeout};
    location / {{ proxy_pass http://127.0.0.1:{service}; }}
  }}""" for port, timeout in zip(ports, ("60s", "0")))
        return nginx_config(folder, f"""
  ssl_certificate {folder}/pair.pem;
  ssl_certificate_key {folder}/pair.pem;
  ssl_protocols {versions};
  ssl_session_cache shared:own:1m;
  ssl_client_certificate {CA};
  ssl_verify_depth 3;
  ssl_verify_client {asks};
  proxy_http_version 1.1;
  proxy_set_header X-Peer "$ssl_protocol reused=$ssl_session_reused sni=$ssl_server_name client=$ssl_client_s_dn port=$remote_port";
{servers}
""")

    @staticmethod
    def haproxy(folder, ports, service, versions, asks) -> str:
        oldest, newest = versions.split()[0], versions.split()[-1]
        bind = f"ssl crt {folder}/pair.pem ssl-min-ver {oldest} ssl-max-ver {newest} ca-file {CA} verify {asks}"
        peer = ("%[ssl_fc_protocol] reused=%[ssl_fc_is_resumed,iif(r,.)] sni=%[ssl_fc_sni] "
                "client=%[ssl_c_s_dn] port=%[src_port]").replace(" ", "\\ ")
        return f"""
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend kept
  bind 127.0.0.1:{ports[0]} {bind}
  http-request set-header X-Peer {peer}
  default_backend service
frontend closing
  bind 127.0.0.1:{ports[1]} {bind}
  option httpclose
  http-request set-header X-Peer {peer}
  default_backend service
backend service
  server service 127.0.0.1:{service}
"""


@pytest.fixture
def peer(aiohttp_service, tmp_path):
    made = []

    def make(kind: str, **named) -> Peer:
        folder = tmp_path / "peer"
        folder.mkdir()
        made.append(Peer(kind, folder, int(aiohttp_service.url.rpartition(":")[2]), **named))
        return made[-1]

    yield make
    for one in made:
        one.close()


def through(gateway, endpoint: str, tls: str):
    return gateway(f"""
listen: 127.0.0.1:0
upstreams:
  service: {{ endpoints: ["{endpoint}"], tls: {{ {tls} }} }}
routes:
  - {{ path: /*, upstream: service }}
""")


def facts(answered: requests.Response) -> dict:
    """What the peer has told the service of the connection."""
    assert answered.status_code == 200, answered.text
    told = {name.lower(): value for name, value in answered.json()["headers"]}["x-peer"]
    version, *rest = re.split(r" (?=reused=|sni=|client=|port=)", told)
    return {"version": version, **dict(fact.partition("=")[::2] for fact in rest)}


KINDS = pytest.mark.parametrize("kind", ["nginx", "haproxy"])


@pytest.mark.faults
@KINDS
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_proxy_as_service_is_verified_kept_and_gets_everything(gateway, peer, kind, version):
    service = peer(kind, versions=version)
    running = through(gateway, service.url, f"ca: {CA}, server_name: api.example.com")
    with requests.Session() as session:
        seen = [facts(session.post(running.url("/echo"), data=b"x" * size, timeout=20)) for size in (1, 20_000, 0)]
        assert {(one["version"], one["sni"]) for one in seen} == {(version, "api.example.com")}
        assert len({one["port"] for one in seen}) == 1, "the connection is kept"
        content = bytes(range(256)) * 20_000
        chunks = (content[at:at + 100_000] for at in range(0, len(content), 100_000))
        for data in (content, chunks):
            got = session.post(running.url("/echo"), data=data, timeout=30).json()
            assert got["length"] == len(content) and got["sha256"] == hashlib.sha256(content).hexdigest()
        assert len(session.get(running.url("/download?bytes=5000000"), timeout=30).content) == 5_000_000


@pytest.mark.faults
@KINDS
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_sessions_with_a_proxy_as_service_are_resumed(gateway, peer, kind, version):
    service = peer(kind, versions=version)
    running = through(gateway, service.closing, f"ca: {CA}")
    seen = [facts(requests.get(running.url("/echo"), timeout=20)) for _ in range(5)]
    assert len({one["port"] for one in seen}) == 5, "each on a connection of its own"
    assert [one["reused"] for one in seen].count("r") >= 3, seen
    assert seen[0]["sni"] == "", "an address is not asked for"


@pytest.mark.faults
@KINDS
def test_a_proxy_as_service_of_another_name_or_authority_is_refused(gateway, peer, kind):
    service = peer(kind)
    for tls in (f"ca: {CA}, server_name: evil.example", f"ca: {pem('ed25519')}", "server_name: api.example.com"):
        refused = requests.get(through(gateway, service.url, tls).url("/echo"), timeout=20)
        assert refused.status_code == 502 and refused.json()["code"] == "certificate_invalid", tls
    trusting = through(gateway, service.url, "verify: false, server_name: evil.example")
    assert facts(requests.get(trusting.url("/echo"), timeout=20))["sni"] == "evil.example"


@pytest.mark.faults
@KINDS
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_a_proxy_as_service_gets_the_certificate_that_it_demands(gateway, peer, kind, version):
    service = peer(kind, versions=version, asks="required")
    running = through(gateway, service.url, f"ca: {CA}, cert: {pem('client')}, key: {key('client')}")
    assert "CN=A client" in facts(requests.get(running.url("/echo"), timeout=20))["client"]
    without = requests.get(through(gateway, service.url, f"ca: {CA}").url("/echo"), timeout=20)
    # nginx shakes hands all the same and answers 400.
    assert without.status_code in (400, 502), without.text
