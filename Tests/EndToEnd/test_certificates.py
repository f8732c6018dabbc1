"""Certificates on the disk: what changes there while the gateway serves."""

import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from datetime import timedelta

import pytest
import requests

from support.gateway import eventually
from support.metrics import LISTENER, figure
from support.tls import CA, TLSUpstream, ask, client_context, connect, key, make, openssl, pem


def mirror(connection):
    while request := connection.read_request():
        connection.answer(json.dumps(dict(request.fields)))


def der(name: str) -> bytes:
    end = "-----END CERTIFICATE-----\n"
    return ssl.PEM_cert_to_DER_cert(open(pem(name)).read().partition(end)[0] + end)


def shown(port: int) -> bytes:
    """The certificate that a client gets, over a connection that works."""
    with connect(port, None, client_context(verify=False)) as client:
        assert ask(client)[0] == 200
        return client.getpeercert(binary_form=True)


def put(name: str, folder) -> None:
    """The pair as `own.pem` and `own.key`, each in one step."""
    for source, target in ((pem(name), "own.pem"), (key(name), "own.key")):
        shutil.copy(source, folder / "fresh")
        os.rename(folder / "fresh", folder / target)


def config(folder, url: str, more: str = "watch_certificates: 100ms") -> str:
    return f"""
listeners:
  default: {{ bind: "127.0.0.1:0", tls: {{ certificates: {{ cert: {folder}/own.pem, key: {folder}/own.key }} }} }}
routes:
  - {{ path: /*, upstream: "{url}" }}
{more}
"""


def test_a_renewed_certificate_is_taken_without_a_reload(gateway, upstream, tmp_path):
    """Each file replaced in one step, as ACME clients do."""
    put("ecdsa", tmp_path)
    running = gateway(config(tmp_path, upstream(mirror).url))
    with connect(running.port()) as before:
        assert ask(before)[0] == 200
        put("rsa", tmp_path)
        eventually(lambda: shown(running.port()) == der("rsa"), 10, "the new certificate")
        assert ask(before)[0] == 200, "a connection that stands is not touched"
    running.wait_log(r"certificates changed: \S*own\.key, \S*own\.pem generation=2")
    assert "warn" not in running.log()


def test_a_renewed_certificate_outlives_the_gateway_process(gateway, upstream, tmp_path):
    put("ecdsa", tmp_path)
    running = gateway(config(tmp_path, upstream(mirror).url))
    put("rsa", tmp_path)
    running.wait_log("certificates changed: ")
    for file in ("own.pem", "own.key"):
        (tmp_path / file).unlink()
    running.crash_expected = True
    old = running.gateway_pid()
    os.kill(old, 9)
    eventually(lambda: running.gateway_pid() != old, 10, "a new gateway process")
    assert shown(running.port()) == der("rsa")


def test_a_link_that_is_switched_over_is_followed(gateway, upstream, tmp_path):
    """As Kubernetes does with secrets: files are links through `..data`, which is renamed from folder to folder."""
    for number, name in enumerate(("ecdsa", "rsa")):
        (tmp_path / f"..{number}").mkdir()
        put(name, tmp_path / f"..{number}")
    (tmp_path / "..data").symlink_to("..0")
    for file in ("own.pem", "own.key"):
        (tmp_path / file).symlink_to(f"..data/{file}")
    running = gateway(config(tmp_path, upstream(mirror).url))
    assert shown(running.port()) == der("ecdsa")
    (tmp_path / "..data_tmp").symlink_to("..1")
    os.rename(tmp_path / "..data_tmp", tmp_path / "..data")
    eventually(lambda: shown(running.port()) == der("rsa"), 10, "the new certificate")


def test_half_a_pair_is_reported_once_and_heals_with_the_other_half(gateway, upstream, tmp_path):
    put("ecdsa", tmp_path)
    running = gateway(config(tmp_path, upstream(mirror).url))
    shutil.copy(pem("rsa"), tmp_path / "own.pem")
    running.wait_log(r"warn.*certificates changed, the ones before stay: .*own\.key.*does not belong")
    # Several looks more.
    for _ in range(5):
        assert shown(running.port()) == der("ecdsa")
        time.sleep(0.1)
    assert running.log().count("the ones before stay") == 1
    shutil.copy(key("rsa"), tmp_path / "own.key")
    eventually(lambda: shown(running.port()) == der("rsa"), 10, "the new certificate")


@pytest.mark.parametrize("file", ["own.pem", "own.key"])
def test_a_file_that_is_broken_or_gone_changes_nothing(gateway, upstream, tmp_path, file):
    put("ecdsa", tmp_path)
    running = gateway(config(tmp_path, upstream(mirror).url))
    (tmp_path / file).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n")
    running.wait_log(rf"warn.*certificates changed, the ones before stay: .*{file}")
    (tmp_path / file).unlink()
    running.wait_log(rf"warn.*certificates changed, the ones before stay: .*{file}.*no such file")
    assert shown(running.port()) == der("ecdsa")
    put("rsa", tmp_path)
    eventually(lambda: shown(running.port()) == der("rsa"), 10, "the new certificate")


def test_only_certificates_are_taken_and_the_rest_waits_for_a_reload(gateway, upstream, tmp_path):
    put("ecdsa", tmp_path)
    running = gateway(config(tmp_path, upstream(mirror).url))
    running.write(running.config_path.read_text().replace("upstream:", "nonsense:"))
    put("rsa", tmp_path)
    eventually(lambda: shown(running.port()) == der("rsa"), 10, "the new certificate")
    # Touched and rewritten, they are what they were.
    size = len(running.log())
    for file in ("own.pem", "own.key"):
        (tmp_path / file).write_bytes((tmp_path / file).read_bytes())
    put("rsa", tmp_path)
    time.sleep(0.5)
    assert running.log()[size:] == ""


def test_a_renewed_certificate_does_not_hide_a_reload_that_failed(gateway, upstream, tmp_path):
    put("ecdsa", tmp_path)
    good = config(tmp_path, upstream(mirror).url, f"watch_certificates: 100ms\n{LISTENER}")
    running = gateway(good)
    told = figure(running, "martlet_config_last_reload_success_timestamp_seconds")
    assert not running.reload(good + "nonsense: 1\n")
    put("rsa", tmp_path)
    eventually(lambda: shown(running.port()) == der("rsa"), 10, "the new certificate")
    assert figure(running, "martlet_config_last_reload_successful") == 0
    assert figure(running, "martlet_config_last_reload_success_timestamp_seconds") == told
    assert running.reload(good)
    assert figure(running, "martlet_config_last_reload_successful") == 1


def test_switched_off_nobody_looks(gateway, upstream, tmp_path):
    put("ecdsa", tmp_path)
    running = gateway(config(tmp_path, upstream(mirror).url, "watch_certificates: off"))
    put("rsa", tmp_path)
    time.sleep(0.5)
    assert shown(running.port()) == der("ecdsa")
    assert running.reload() and shown(running.port()) == der("rsa")


def test_authorities_of_upstreams_are_looked_at_too(gateway, tmp_path):
    shutil.copy(pem("ed25519"), tmp_path / "ca.pem")
    with_tls = TLSUpstream(mirror)
    try:
        running = gateway(f"""
listen: 127.0.0.1:0
upstreams: {{ service: {{ endpoints: ["{with_tls.url}"], tls: {{ ca: {tmp_path}/ca.pem }} }} }}
routes: [{{ path: /*, upstream: service }}]
watch_certificates: 100ms
""")
        assert requests.get(running.url(), timeout=10).json()["code"] == "certificate_invalid"
        shutil.copy(CA, tmp_path / "ca.pem")
        eventually(lambda: requests.get(running.url(), timeout=10).status_code == 200, 10, "the new authority")
    finally:
        with_tls.close()


def test_a_certificate_that_expires_soon_is_warned_of_by_check_and_with_each_load(gateway, upstream, tmp_path, martlet):
    make(tmp_path, "own", "/CN=x", "own", "subjectAltName=DNS:soon.example,DNS:also.example", timedelta(days=5, hours=1))
    running = gateway(config(tmp_path, upstream(mirror).url))
    warning = r"warn.*own\.pem`: the certificate for soon\.example, also\.example expires on 20\d\d-\d\d-\d\dT[0-9:]+Z, in 5 days"
    running.wait_log(warning)
    size = len(running.log())
    assert running.reload()
    running.wait_log(warning, size)
    checked = subprocess.run([martlet, "check", "--config", running.config_path], capture_output=True, text=True, timeout=20)
    assert checked.returncode == 0 and "1 warning" in checked.stdout
    assert "own.pem`: the certificate for soon.example, also.example expires on 20" in checked.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_after_a_crash_of_the_gateway_process(gateway, upstream, tmp_path, version):
    put("ecdsa", tmp_path)
    running = gateway(config(tmp_path, upstream(mirror).url))
    running.crash_expected = True
    context = client_context(minimum_version=version, maximum_version=version)
    with connect(running.port(), context=context) as client:
        assert ask(client)[0] == 200
        session = client.session
    for signal_ in (signal.SIGKILL, signal.SIGSEGV):
        old = running.gateway_pid()
        os.kill(old, signal_)
        eventually(lambda: running.gateway_pid() != old, 10, "a new gateway process")
        with connect(running.port(), context=context, session=session) as client:
            assert ask(client)[0] == 200 and client.session_reused
            session = client.session


def test_a_stapled_response_is_signed_by_whom_it_has_to_be(martlet, tmp_path):
    """The issuer, or a responder with a certificate of the issuer for that (RFC 6960 section 4.2.2.2)."""
    appointed = "extendedKeyUsage=OCSPSigning"
    make(tmp_path, "ca", "/CN=ca", "ca", "basicConstraints=critical,CA:TRUE")
    make(tmp_path, "own", "/CN=own", "ca", "subjectAltName=DNS:own.example")
    make(tmp_path, "responder", "/CN=responder", "ca", appointed)
    make(tmp_path, "lapsed", "/CN=lapsed", "ca", appointed, timedelta(days=-1))
    make(tmp_path, "neighbour", "/CN=neighbour", "ca", "extendedKeyUsage=serverAuth")
    make(tmp_path, "stranger", "/CN=ca", "stranger", f"basicConstraints=critical,CA:TRUE\n{appointed}")
    (tmp_path / "chain.pem").write_bytes(b"".join((tmp_path / f"{name}.pem").read_bytes() for name in ("own", "ca")))
    verdicts = {}
    for signer in ("ca", "responder", "lapsed", "neighbour", "stranger"):
        openssl("ocsp", "-index", tmp_path / "index", "-CA", tmp_path / "ca.pem", "-rsigner", tmp_path / f"{signer}.pem",
                "-rkey", tmp_path / f"{signer}.key", "-issuer", tmp_path / "ca.pem", "-cert", tmp_path / "own.pem", "-no_nonce", "-noverify",
                "-ndays", "30", "-respout", tmp_path / f"{signer}.der")
        (tmp_path / "martlet.yaml").write_text(f"""
listeners: {{ a: {{ bind: "127.0.0.1:0", tls: {{ certificates: {{ cert: chain.pem, key: own.key, ocsp: {signer}.der }} }} }} }}
routes: [{{ path: /*, respond: 200 }}]
""")
        checked = subprocess.run([martlet, "check", "--config", tmp_path / "martlet.yaml"], capture_output=True, text=True, timeout=20)
        verdicts[signer] = checked.returncode
        assert checked.returncode == 0 or f"{signer}.der`: it is signed neither by" in checked.stderr, checked.stderr
    # A clock that is wrong keeps no server from starting: what the dates say is for clients.
    assert verdicts == {"ca": 0, "responder": 0, "lapsed": 0, "neighbour": 1, "stranger": 1}


@pytest.mark.faults
def test_a_hundred_reloads_with_a_new_certificate_each_fail_no_handshake(gateway, upstream, tmp_path):
    """Beside clients that shake hands all the time, and others whose connections stay."""
    make(tmp_path, "own", "/CN=own", "own", "subjectAltName=DNS:api.example.com")
    running = gateway(config(tmp_path, upstream(mirror).url, "watch_certificates: off"))
    failures, handshakes, stop = [], [], threading.Event()

    def come_and_go():
        while not stop.is_set():
            try:
                handshakes.append(shown(running.port()))
            except Exception as problem:
                failures.append(repr(problem))

    def stay():
        try:
            with connect(running.port(), None, client_context(verify=False)) as client:
                while not stop.is_set():
                    assert ask(client)[0] == 200
        except Exception as problem:
            failures.append(repr(problem))

    threads = [threading.Thread(target=body) for body in (come_and_go, come_and_go, stay)]
    for thread in threads:
        thread.start()
    try:
        for number in range(100):
            make(tmp_path, "own", f"/CN=own {number}", "own", "subjectAltName=DNS:api.example.com")
            assert running.reload()
            own = ssl.PEM_cert_to_DER_cert((tmp_path / "own.pem").read_text())
            # Workers take a configuration up with their next turn.
            eventually(lambda: shown(running.port()) == own, 10, f"the certificate of reload {number}")
            before = len(handshakes)
            eventually(lambda: len(handshakes) > before or failures, 10, "a handshake of the load")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"100 reloads, {len(handshakes)} handshakes with {len(set(handshakes))} certificates, {len(failures)} failures")
    assert not failures and len(set(handshakes)) > 50
    assert "handshake" not in running.log()
