"""TLS with clients and with upstreams."""

import asyncio
import base64
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import aiohttp
import httpx
import pytest
import requests

from support.gateway import eventually
from support.raw import RawClient
from support.tls import CA, TLSUpstream, ask, certificate, client_context, connect, key, pem, seen


def mirror(connection):
    while request := connection.read_request():
        connection.answer(json.dumps(dict(request.fields)))


def secure(tls: str, url: str, more: str = "", route: str = "") -> str:
    return f"""
listeners:
  default: {{ bind: "127.0.0.1:0", tls: {{ {tls} }}{more} }}
routes:
  - {{ path: /*, upstream: "{url}"{route} }}
"""


@pytest.fixture
def running(gateway, upstream):
    """A gateway with an ECDSA and an RSA certificate for the same names."""
    return gateway(secure(f"certificates: [{certificate('ecdsa')}, {certificate('rsa')}]", upstream(mirror).url))


# Clients


def test_requests_over_tls_reach_the_upstream_as_https(running):
    port = running.port()
    with connect(port) as client:
        assert client.version() == "TLSv1.3"
        first = seen(client)
        assert first["x-forwarded-proto"] == "https" and first["x-forwarded-port"] == str(port)
        assert seen(client, target="/again")["host"] == "api.example.com"
    assert len(running.entries(2)) == 2


def test_curl_requests_httpx_and_aiohttp(running, tmp_path):
    port, host = running.port(), "api.example.com"
    curl = subprocess.run(
        ["curl", "-sS", "--cacert", CA, "--resolve", f"{host}:{port}:127.0.0.1", f"https://{host}:{port}/a", f"https://{host}:{port}/b"],
        capture_output=True, text=True, timeout=30)
    assert curl.returncode == 0 and curl.stdout.count('"x-forwarded-proto": "https"') == 2, curl.stderr
    assert requests.get(f"https://127.0.0.1:{port}/", verify=str(CA), timeout=10).json()["x-forwarded-proto"] == "https"
    with httpx.Client(verify=client_context()) as client:
        for _ in range(3):
            assert client.get(f"https://127.0.0.1:{port}/").json()["x-forwarded-proto"] == "https"

    async def fetch():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context())) as session:
            async with session.post(f"https://127.0.0.1:{port}/", data=b"x" * 300_000) as response:
                return await response.json(content_type=None)

    assert asyncio.run(fetch())["x-forwarded-proto"] == "https"


def test_long_content_passes_both_ways(gateway, upstream):
    def echo(connection):
        while request := connection.read_request():
            connection.answer(request.body)

    running = gateway(secure(f"certificates: [{certificate('ecdsa')}]", upstream(echo).url))
    content = os.urandom(5_000_000)
    answer = requests.post(f"https://127.0.0.1:{running.port()}/", data=content, verify=str(CA), timeout=30)
    assert answer.content == content


def test_a_reader_that_is_slow_gets_everything(gateway, upstream):
    content = os.urandom(4_000_000)

    def answer(connection):
        while connection.read_request():
            connection.answer(content)

    running = gateway(secure(f"certificates: [{certificate('ecdsa')}]", upstream(answer).url))
    with connect(running.port()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n")
        data = b""
        while received := client.recv(30_000):
            data += received
            if len(data) < 300_000:
                time.sleep(0.01)
        assert data.partition(b"\r\n\r\n")[2] == content


def test_pipelined_requests_and_requests_in_single_bytes(running):
    with connect(running.port()) as client:
        request = b"GET /%d HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
        client.sendall(b"".join(request % number for number in range(20)))
        data = b""
        while data.count(b"HTTP/1.1 200") < 20:
            data += client.recv(65536)
    with connect(running.port()) as client:
        for byte in b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n":
            client.sendall(bytes([byte]))
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_websocket_over_tls(gateway, aiohttp_service):
    running = gateway(secure(f"certificates: [{certificate('ecdsa')}]", aiohttp_service.url))

    async def talk():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client_context())) as session:
            async with session.ws_connect(f"https://127.0.0.1:{running.port()}/ws") as socket_:
                for text in ("one", "two" * 10_000):
                    await socket_.send_str(text)
                    assert text in (await socket_.receive(timeout=10)).data

    asyncio.run(talk())


# Certificates and policies


def test_a_name_chooses_the_certificate(gateway, upstream):
    running = gateway(secure(f"certificates: [{certificate('ecdsa')}, {certificate('ed25519')}]", upstream(mirror).url))
    for name, subject in (("api.example.com", "api.example.com"), ("a.api.example.com", "api.example.com"),
                          ("other.example", "other.example"), ("OTHER.example", "other.example")):
        with connect(running.port(), name) as client:
            assert dict(part[0] for part in client.getpeercert()["subject"])["commonName"] == subject
            assert ask(client, host=name.lower())[0] == 200
    with connect(running.port(), "unknown.example", client_context(verify=False)) as client:
        assert ask(client)[0] == 200
    with connect(running.port(), None, client_context(verify=False)) as client:
        assert ask(client)[0] == 200


def test_an_unknown_name_is_refused_where_it_has_to_be(gateway, upstream):
    running = gateway(secure(f"certificates: [{certificate('ecdsa')}], unknown_name: refuse", upstream(mirror).url))
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        connect(running.port(), "unknown.example", client_context(verify=False))
    with connect(running.port()) as client:
        assert ask(client)[0] == 200


def test_the_key_is_one_that_the_client_knows(running):
    def issuer_key(algorithms: str) -> str:
        shown = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{running.port()}", "-servername", "api.example.com", "-sigalgs", algorithms],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20).stdout
        return re.search(r"Peer signature type: (\S+)", shown)[1]

    assert issuer_key("ECDSA+SHA256:RSA-PSS+SHA256") == "ECDSA"
    assert issuer_key("RSA-PSS+SHA256:ECDSA+SHA256") == "ECDSA"
    assert issuer_key("RSA-PSS+SHA256") == "RSA-PSS"


def test_versions(gateway, upstream):
    url = upstream(mirror).url
    old = gateway(secure(f"certificates: [{certificate('ecdsa')}]", url))
    twelve = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with connect(old.port(), context=twelve) as client:
        assert client.version() == "TLSv1.2" and ask(client)[0] == 200
        assert "GCM" in client.cipher()[0] or "CHACHA" in client.cipher()[0]
    for arguments in (["-tls1_1"], ["-tls1"], ["-tls1_2", "-cipher", "AES128-SHA"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"]):
        result = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{old.port()}", *arguments, "-cipher" if "-cipher" not in arguments else "-servername",
             "ALL:@SECLEVEL=0" if "-cipher" not in arguments else "api.example.com"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        assert "Cipher is (NONE)" in result.stdout, arguments
    modern = gateway(secure(f"certificates: [{certificate('ecdsa')}], ciphers: modern", url))
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        connect(modern.port(), context=twelve)
    with connect(modern.port()) as client:
        assert ask(client)[0] == 200


def test_the_protocol_is_agreed_on(running):
    with connect(running.port(), context=client_context(protocols=["http/1.1"])) as client:
        assert client.selected_alpn_protocol() == "http/1.1" and ask(client)[0] == 200
    # Both sides like HTTP/2 best.
    with connect(running.port(), context=client_context(protocols=["http/1.1", "h2"])) as client:
        assert client.selected_alpn_protocol() == "h2"
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        connect(running.port(), context=client_context(protocols=["h3", "spdy/1"]))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_also_after_a_reload(running, version):
    context = client_context(minimum_version=version, maximum_version=version)
    with connect(running.port(), context=context) as client:
        ask(client)
        session = client.session
        assert not client.session_reused
    with connect(running.port(), context=context, session=session) as client:
        ask(client)
        assert client.session_reused
        session = client.session
    assert running.reload(running.config_path.read_text() + "# changed\n")
    with connect(running.port(), context=context, session=session) as client:
        assert ask(client)[0] == 200 and client.session_reused


def test_a_resumed_session_brings_a_new_ticket(running):
    context = client_context(minimum_version=ssl.TLSVersion.TLSv1_3)
    with connect(running.port(), context=context) as client:
        ask(client)
        session = client.session
    for _ in range(3):
        with connect(running.port(), context=context, session=session) as client:
            ask(client)
            assert client.session_reused and client.session != session
            session = client.session


def test_tickets_can_be_turned_off(gateway, upstream):
    running = gateway(secure(f"certificates: [{certificate('ecdsa')}], session_tickets: false", upstream(mirror).url))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context(minimum_version=version, maximum_version=version)
        with connect(running.port(), context=context) as client:
            ask(client)
            session = client.session
        with connect(running.port(), context=context, session=session) as client:
            assert ask(client)[0] == 200 and not client.session_reused


def test_clients_show_certificates(gateway, upstream):
    config = secure(f"certificates: [{certificate('ecdsa')}], client_auth: {{ ca: {CA} }}", upstream(mirror).url)
    running = gateway(config)
    with connect(running.port(), context=client_context("client")) as client:
        assert ask(client)[0] == 200
    for context in (client_context(), client_context("self-signed")):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with connect(running.port(), context=context) as client:
                ask(client)
    running.wait_log("the TLS handshake failed")


def test_a_host_that_demands_a_certificate_cannot_be_reached_by_another_name(gateway, upstream):
    tls = f"certificates: [{certificate('ecdsa')}], hosts: {{ admin.api.example.com: {{ client_auth: {{ ca: {CA} }} }} }}"
    running = gateway(secure(tls, upstream(mirror).url))
    with connect(running.port(), "b.api.example.com") as client:
        assert ask(client, host="b.api.example.com")[0] == 200
        status, body = ask(client, host="admin.api.example.com")
        assert status == 421 and json.loads(body)["code"] == "misdirected"
        assert ask(client, host="Admin.API.example.com:443")[0] == 421
    with connect(running.port(), "admin.api.example.com", client_context("client")) as client:
        assert ask(client, host="admin.api.example.com")[0] == 200
        assert ask(client, host="b.api.example.com")[0] == 421
    # A session of a host without the demand does not open the one with it.
    context = client_context()
    with connect(running.port(), "b.api.example.com", context) as client:
        ask(client, host="b.api.example.com")
        session = client.session
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        with connect(running.port(), "admin.api.example.com", context, session) as client:
            ask(client, host="admin.api.example.com")


def test_plain_http_on_a_secure_port_is_told_so(running):
    with RawClient(running.port()) as client:
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        answer = client.read_response()
        assert answer.status == 400 and "https" in json.loads(answer.body)["detail"]
        assert client.at_end()
    with RawClient(running.port()) as client:
        client.send(b"\x00\x01\x02\x03")
        assert client.read_response().status == 400


def test_a_handshake_that_does_not_come_is_not_waited_for(gateway, upstream):
    running = gateway(secure(f"certificates: [{certificate('ecdsa')}]", upstream(mirror).url, ", timeouts: { handshake: 300ms }"))
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", running.port())) as silent, socket.create_connection(("127.0.0.1", running.port())) as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        for connection in (silent, half):
            connection.settimeout(10)
            assert connection.recv(10) == b""
    assert 0.25 < time.monotonic() - started < 8
    running.wait_log("did not end in time")


def test_floods_of_key_updates_end_the_connection(running):
    openssl = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{running.port()}", "-tls1_3"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def has_ended() -> bool:
        """Asks for one more key update."""
        try:
            openssl.stdin.write(b"K\n")
            openssl.stdin.flush()
        except BrokenPipeError:
            pass
        return openssl.poll() is not None

    try:
        eventually(has_ended, 30, "the end of a connection with a flood of key updates")
    finally:
        openssl.kill()
        openssl.wait()
    assert requests.get(f"https://127.0.0.1:{running.port()}/", verify=str(CA), timeout=10).status_code == 200


def test_variables_tell_of_the_connection(gateway, upstream):
    inject = "{ headers: { request: { set: { X-TLS: '{tls.version} {tls.cipher} {tls.sni} {tls.client_subject} {tls.client_fingerprint} {scheme}' } } } }"
    tls = f"certificates: [{certificate('ecdsa')}], client_auth: {{ ca: {CA}, require: false }}"
    running = gateway(secure(tls, upstream(mirror).url, route=f", middleware: [{inject}]"))
    with connect(running.port(), context=client_context("client")) as client:
        version, cipher, name, *subject, fingerprint, scheme = seen(client)["x-tls"].split(" ")
        assert (version, name, scheme) == ("TLSv1.3", "api.example.com", "https") and cipher.startswith("TLS_AES")
        assert " ".join(subject) == "CN=A client,O=Martlet tests" and re.fullmatch("[0-9a-f]{64}", fingerprint)


def der(name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(open(pem(name)).read().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")


def byte_sequence(content: bytes) -> str:
    """As a structured field has it (RFC 8941 section 3.3.5)."""
    return f":{base64.b64encode(content).decode()}:"


SPOOFED = "Client-Cert: :AAAA:\r\nclient-cert: :BBBB:\r\nClient-Cert-Chain: :AAAA:\r\n"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_upstreams_are_told_of_the_clients_certificate(gateway, upstream, version):
    tls = f"certificates: [{certificate('ecdsa')}], client_auth: {{ ca: {CA}, require: false, forward: certificate }}"
    running = gateway(secure(tls, upstream(mirror).url))
    context = client_context("client", minimum_version=version, maximum_version=version)
    session = None
    for is_resumed in (False, True):
        with connect(running.port(), context=context, session=session) as client:
            for target in ("/one", "/two"):
                fields = seen(client, target=target, fields=SPOOFED)
                assert fields["client-cert"] == byte_sequence(der("client")) and "client-cert-chain" not in fields
            assert client.session_reused == is_resumed
            session = client.session
    with connect(running.port()) as client:
        assert not {"client-cert", "client-cert-chain"} & seen(client, fields=SPOOFED).keys(), "there is none to tell of"


def test_upstreams_are_told_of_the_clients_certificate_with_http2_too(gateway, upstream):
    tls = f"certificates: [{certificate('ecdsa')}], client_auth: {{ ca: {CA}, require: false, forward: certificate }}"
    running = gateway(secure(tls, upstream(mirror).url))
    port, host = running.port(), "api.example.com"

    def curl(*arguments) -> dict:
        done = subprocess.run(
            ["curl", "-sS", "--http2", "-w", "\n%{http_version}", "--cacert", CA, "--resolve", f"{host}:{port}:127.0.0.1", "-H", "Client-Cert: :AAAA:",
             "-H", "Client-Cert-Chain: :BBBB:", *arguments, f"https://{host}:{port}/"], capture_output=True, text=True, timeout=30)
        body, _, version = done.stdout.rpartition("\n")
        assert done.returncode == 0 and version == "2", done.stderr
        return json.loads(body)

    fields = curl("--cert", pem("client"), "--key", key("client"))
    assert fields["client-cert"] == byte_sequence(der("client")) and "client-cert-chain" not in fields
    assert not {"client-cert", "client-cert-chain"} & curl().keys()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_with_the_chain_sessions_are_not_resumed(gateway, upstream, version):
    # Of a listener whose other names resume theirs.
    hosts = f"{{ admin.api.example.com: {{ client_auth: {{ ca: {CA}, forward: chain }} }} }}"
    running = gateway(secure(f"certificates: [{certificate('ecdsa')}], hosts: {hosts}", upstream(mirror).url))
    context = client_context("client", minimum_version=version, maximum_version=version)
    intermediate = ssl.PEM_cert_to_DER_cert("-----BEGIN CERTIFICATE-----" + open(pem("client")).read().split("-----BEGIN CERTIFICATE-----")[2])
    session = None
    for _ in range(2):
        with connect(running.port(), "admin.api.example.com", context, session) as client:
            fields = seen(client, host="admin.api.example.com", fields=SPOOFED)
            assert fields["client-cert"] == byte_sequence(der("client"))
            assert fields["client-cert-chain"] == byte_sequence(intermediate), "without the authority, which is trusted by itself"
            assert not client.session_reused
            session = client.session


def test_nobody_but_a_trusted_proxy_tells_of_certificates(gateway, upstream):
    """Whether or not certificates are asked for here (RFC 9440 section 2.4)."""
    url = upstream(mirror).url
    tls = f"certificates: [{certificate('ecdsa')}], client_auth: {{ ca: {CA}, require: false }}"
    for more, is_trusted in (("", False), ("trusted_proxies: [127.0.0.1]\n", True)):
        running = gateway(f"""
listeners:
  plain: {{ bind: "127.0.0.1:0" }}
  default: {{ bind: "127.0.0.1:0", tls: {{ {tls} }} }}
  forwarding: {{ bind: "127.0.0.1:0", tls: {{ {tls.replace('false', 'false, forward: certificate')} }} }}
{more}routes:
  - {{ path: /*, upstream: "{url}" }}
""")
        sent = {"Client-Cert": ":AAAA:", "client-cert-CHAIN": ":BBBB:"}
        expected = [":AAAA:", ":BBBB:"] if is_trusted else [None, None]
        plain = requests.get(running.url(listener="plain"), headers=sent, timeout=10).json()
        assert [plain.get("client-cert"), plain.get("client-cert-chain")] == expected
        secure_ = requests.get(f"https://127.0.0.1:{running.port()}/", headers=sent, verify=str(CA), cert=(pem("client"), key("client")), timeout=10).json()
        assert [secure_.get("client-cert"), secure_.get("client-cert-chain")] == expected
        own = requests.get(
            f"https://127.0.0.1:{running.port('forwarding')}/", headers=sent, verify=str(CA), cert=(pem("client"), key("client")), timeout=10).json()
        assert [own.get("client-cert"), own.get("client-cert-chain")] == [byte_sequence(der("client")), None], "the peer's own stands in their place"


def test_a_certificate_that_no_field_can_hold_is_refused(gateway, upstream, tmp_path):
    names = ",".join(f"DNS:{number}.{'a' * 60}.example" for number in range(140))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=long", "-days", "30",
         "-addext", f"subjectAltName={names}", "-keyout", tmp_path / "long.key", "-out", tmp_path / "long.pem"], check=True, capture_output=True)
    tls = f"certificates: [{certificate('ecdsa')}], client_auth: {{ ca: {tmp_path}/long.pem, forward: certificate }}"
    running = gateway(secure(tls, upstream(mirror).url))
    context = client_context()
    context.load_cert_chain(tmp_path / "long.pem", tmp_path / "long.key")
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        with connect(running.port(), context=context) as client:
            ask(client)
    running.wait_log("too long to be forwarded")


# Reload


def test_a_certificate_is_exchanged_by_a_reload_under_load(gateway, upstream, tmp_path):
    for kind in ("pem", "key"):
        shutil.copy((pem if kind == "pem" else key)("ecdsa"), tmp_path / f"own.{kind}")
    running = gateway(secure(f"certificates: [{{ cert: {tmp_path}/own.pem, key: {tmp_path}/own.key }}]", upstream(mirror).url))
    failures, stop, shown = [], threading.Event(), set()

    def load():
        while not stop.is_set():
            try:
                with connect(running.port(), None, client_context(verify=False)) as client:
                    assert ask(client)[0] == 200
                    shown.add(client.getpeercert(binary_form=True))
            except Exception as problem:
                failures.append(repr(problem))

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(10):
        name = ("rsa", "ecdsa")[number % 2]
        shutil.copy(pem(name), tmp_path / "own.pem")
        shutil.copy(key(name), tmp_path / "own.key")
        assert running.reload()
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures and len(shown) == 2


def test_a_bad_certificate_changes_nothing(gateway, upstream, tmp_path):
    for kind in ("pem", "key"):
        shutil.copy((pem if kind == "pem" else key)("ecdsa"), tmp_path / f"own.{kind}")
    running = gateway(secure(f"certificates: [{{ cert: {tmp_path}/own.pem, key: {tmp_path}/own.key }}]", upstream(mirror).url))
    shutil.copy(key("rsa"), tmp_path / "own.key")
    assert not running.reload()
    running.wait_log(r"reload: .*own\.")
    (tmp_path / "own.key").unlink()
    assert not running.reload()
    with connect(running.port()) as client:
        assert ask(client)[0] == 200


def test_the_proxy_protocol_comes_before_tls(gateway, upstream):
    running = gateway(secure(f"certificates: [{certificate('ecdsa')}]", upstream(mirror).url, ", proxy_protocol: { from: [127.0.0.1] }"))
    plain = socket.create_connection(("127.0.0.1", running.port()), timeout=10)
    plain.sendall(b"PROXY TCP4 203.0.113.9 192.0.2.1 5555 443\r\n")
    with client_context().wrap_socket(plain, server_hostname="api.example.com") as client:
        assert seen(client)["x-forwarded-for"] == "203.0.113.9"


# Upstreams


@pytest.fixture
def tls_upstream():
    made = []

    def make(*arguments, **named):
        made.append(TLSUpstream(*arguments, **named))
        return made[-1]

    yield make
    for one in made:
        one.close()
        assert not one.problems, one.problems


def to_upstream(endpoint: str, tls: str) -> str:
    return f"""
listen: 127.0.0.1:0
upstreams:
  service: {{ endpoints: ["{endpoint}"], tls: {{ {tls} }} }}
routes:
  - {{ path: /*, upstream: service }}
"""


def test_an_upstream_proves_itself(gateway, tls_upstream):
    service = tls_upstream(mirror)
    running = gateway(to_upstream(service.url, f"ca: {CA}"))
    with requests.Session() as session:
        for _ in range(3):
            answer = session.get(running.url(), timeout=10)
            assert answer.status_code == 200 and answer.json()["x-forwarded-proto"] == "http"
    assert len(service.connections) == 1, "the connection is kept"
    assert service.names == [None], "an address is not asked for"


def test_an_upstream_is_asked_for_by_name(gateway, tls_upstream):
    service = tls_upstream(mirror)
    running = gateway(to_upstream(service.url, f"ca: {CA}, server_name: api.example.com"))
    assert requests.get(running.url(), timeout=10).status_code == 200
    assert service.names == ["api.example.com"]


@pytest.mark.parametrize("identity, tls, code", [
    ("ecdsa", "server_name: evil.example, ca: CA", "certificate_invalid"), ("self-signed", "server_name: self.example, ca: CA", "certificate_invalid"),
    ("expired", "server_name: expired.example, ca: CA", "certificate_invalid"),
    ("ecdsa", "ca: CA, min_version: '1.3'", "tls_failed")])
def test_an_upstream_that_is_not_the_one_is_not_spoken_to(gateway, tls_upstream, identity, tls, code):
    service = tls_upstream(mirror, identity=identity, versions={"maximum_version": ssl.TLSVersion.TLSv1_2})
    running = gateway(to_upstream(service.url, tls.replace("CA", str(CA))))
    answer = requests.get(running.url(), timeout=10)
    assert answer.status_code == 502 and answer.json()["code"] == code
    assert not service.requests


def test_verification_can_be_turned_off_and_that_warns(gateway, tls_upstream):
    service = tls_upstream(mirror, identity="self-signed")
    running = gateway(to_upstream(service.url, "verify: false"))
    assert requests.get(running.url(), timeout=10).status_code == 200
    running.wait_log("(?i)warn.*verif")


def test_we_show_a_certificate_to_an_upstream_that_asks(gateway, tls_upstream):
    service = tls_upstream(mirror, client_ca=True)
    running = gateway(to_upstream(service.url, f"ca: {CA}, cert: {pem('client')}, key: {key('client')}"))
    assert requests.get(running.url(), timeout=10).status_code == 200
    without = gateway(to_upstream(service.url, f"ca: {CA}"))
    assert requests.get(without.url(), timeout=10).status_code == 502


def test_sessions_with_upstreams_are_resumed(gateway, tls_upstream):
    def once(connection):
        connection.read_request()
        connection.answer("ok", fields="Connection: close\r\n")

    service = tls_upstream(once)
    running = gateway(to_upstream(service.url, f"ca: {CA}"))
    with requests.Session() as session:
        for _ in range(4):
            assert session.get(running.url(), timeout=10).status_code == 200
    assert service.resumed >= 2


def test_an_answer_that_breaks_off_is_not_complete(gateway, tls_upstream):
    def cut(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it")
        # Without a close_notify: somebody may have cut it.
        os.close(connection.socket.detach())

    service = tls_upstream(cut)
    running = gateway(to_upstream(service.url, f"ca: {CA}"))
    with pytest.raises(requests.exceptions.RequestException):
        requests.get(running.url(), timeout=10)
    assert running.entry()["reason"] == "response_incomplete"


def test_a_plain_service_behind_https_is_an_error(gateway, upstream):
    def refuse(connection):
        connection.fill()
        connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    service = upstream(refuse)
    running = gateway(to_upstream(service.url.replace("http:", "https:"), f"ca: {CA}"))
    answer = requests.get(running.url(), timeout=10)
    assert answer.status_code == 502 and answer.json()["code"] == "tls_failed"


# http to https


def test_redirect_to_https_and_hsts(gateway, upstream):
    running = gateway(f"""
listeners:
  plain: {{ bind: "127.0.0.1:0", redirect_to_https: true }}
  default: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{certificate('ecdsa')}] }} }}
middleware: {{ strict: {{ hsts: {{ max_age: 365d }} }} }}
defaults: {{ middleware: [strict] }}
routes:
  - {{ path: /*, upstream: "{upstream(mirror).url}" }}
""")
    plain = requests.get(running.url("/a?b=c", "plain"), headers={"Host": "api.example.com"}, allow_redirects=False, timeout=10)
    assert plain.status_code == 301 and plain.headers["Location"] == "https://api.example.com/a?b=c"
    assert "Strict-Transport-Security" not in plain.headers
    posted = requests.post(running.url("/a", "plain"), data="x", headers={"Host": "api.example.com"}, allow_redirects=False, timeout=10)
    assert posted.status_code == 308
    safe = requests.get(f"https://127.0.0.1:{running.port()}/", verify=str(CA), timeout=10)
    assert safe.headers["Strict-Transport-Security"] == "max-age=31536000"
