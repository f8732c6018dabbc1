"""TLS clients, and an upstream that speaks TLS, with the certificates of the unit tests."""

import json
import socket
import ssl
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from support.raw import RawUpstream

FIXTURES = Path(__file__).parents[2] / "TLSTests/Fixtures"
CA = FIXTURES / "ca.pem"


def pem(name: str) -> str:
    return str(FIXTURES / f"{name}.pem")


def key(name: str) -> str:
    return str(FIXTURES / f"{name}.key")


def certificate(name: str) -> str:
    """As a listener's configuration has it."""
    return f"{{ cert: {pem(name)}, key: {key(name)} }}"


def openssl(*arguments) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=20)


def make(folder, name: str, subject: str, signer: str, extensions: str = "", left: timedelta = timedelta(days=1000)) -> None:
    """`name.pem` and `name.key` of some years, which has so much time left."""
    (folder / "ca.cnf").write_text(f"""
[ca]
default_ca = own
[own]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = optional
[extensions]
{extensions}
""")
    (folder / "index").touch()
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout", folder / f"{name}.key",
            "-out", folder / f"{name}.csr")
    by = ["-selfsign", "-keyfile", folder / f"{name}.key"] if signer == name else ["-cert", folder / f"{signer}.pem", "-keyfile", folder / f"{signer}.key"]
    openssl("ca", "-batch", "-notext", "-config", folder / "ca.cnf", *by, "-in", folder / f"{name}.csr", "-out", folder / f"{name}.pem",
            "-extensions", "extensions", "-startdate", "20200101000000Z",
            "-enddate", (datetime.now(timezone.utc) + left).strftime("%Y%m%d%H%M%SZ"))


def client_context(identity: str | None = None, verify: bool = True, protocols: list[str] | None = None, **versions) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(CA)) if verify else ssl._create_unverified_context()
    if identity:
        context.load_cert_chain(pem(identity), key(identity))
    if protocols:
        context.set_alpn_protocols(protocols)
    for name, value in versions.items():
        setattr(context, name, value)
    return context


def connect(port: int, name: str | None = "api.example.com", context: ssl.SSLContext | None = None, session=None) -> ssl.SSLSocket:
    context = context or client_context()
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    return context.wrap_socket(plain, server_hostname=name, session=session)


def ask(connection: ssl.SSLSocket, host: str = "api.example.com", target: str = "/", fields: str = "") -> tuple[int, bytes]:
    """One request on a connection that stays."""
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        assert received, data
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), body


def seen(connection: ssl.SSLSocket, **named) -> dict:
    """The fields that the upstream saw of a request, when it mirrors them."""
    status, body = ask(connection, **named)
    assert status == 200, body
    return json.loads(body)


class TLSUpstream(RawUpstream):
    """As `RawUpstream`, in TLS; failed handshakes are counted."""

    def __init__(self, script=None, identity: str = "ecdsa", client_ca: bool = False, versions: dict | None = None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem(identity), key(identity))
        if client_ca:
            self.context.load_verify_locations(CA)
            self.context.verify_mode = ssl.CERT_REQUIRED
        for name, value in (versions or {}).items():
            setattr(self.context, name, value)
        self.names: list[str | None] = []
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        self.failures: list[str] = []
        self.resumed = 0
        super().__init__(script)
        self.url = self.url.replace("http:", "https:")

    def serve(self, connection) -> None:
        try:
            connection.socket = self.context.wrap_socket(connection.socket, server_side=True)
        except (ssl.SSLError, OSError) as problem:
            self.failures.append(str(problem))
            connection.socket.close()
            return
        self.resumed += connection.socket.session_reused
        super().serve(connection)
