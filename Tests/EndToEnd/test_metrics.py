"""The metrics listener."""

import re
import time
from pathlib import Path

import pytest
import requests

from support.gateway import eventually
from support.http2 import H2Client
from support.metrics import LISTENER, families, figure, scrape, strict
from support.raw import RawClient, get
from support.tls import ask, certificate, connect, pem

DOCS = Path(__file__).resolve().parents[2] / "docs/metrics.md"


def config(more: str = "", listener: str = "", workers: int = 2) -> str:
    return f"""
workers: {workers}
{LISTENER}
{more}
listeners:
  default: {{ bind: "127.0.0.1:0", protocols: [http/1.1, h2c]{listener} }}
routes:
  - {{ path: /ok, respond: {{ text: ok }} }}
  - {{ path: /metrics, respond: {{ text: "a route's own" }} }}
  - {{ path: /dead, upstream: "http://127.0.0.1:1" }}
"""


def test_both_forms_say_the_same(gateway):
    running = gateway(config())
    text, open_text = families(running), strict(running)
    assert scrape(running).headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert text.keys() == open_text.keys() and len(text) > 20
    for name, family in text.items():
        assert family.type == open_text[name].type and family.documentation == open_text[name].documentation
        assert [sample.labels for sample in family.samples] == [sample.labels for sample in open_text[name].samples]


def test_every_family_is_in_the_docs(gateway):
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", DOCS.read_text(), re.MULTILINE)
    told = {name: (kind, re.findall(r"`(\w+)`", labels), help) for name, kind, labels, help in rows}
    running = gateway(config())
    seen = {family.name + ("_total" if family.type == "counter" else ""): family for family in families(running).values()}
    assert told.keys() == seen.keys()
    for name, (kind, labels, help) in told.items():
        assert (kind, help) == (seen[name].type, seen[name].documentation), name
        for sample in seen[name].samples:
            assert list(sample.labels) == labels, name


def test_requests_and_errors_of_all_workers_are_counted(gateway):
    running = gateway(config())
    before = figure(running, "martlet_requests_total")
    for _ in range(20):
        assert get(running.port(), "/ok").status == 200
    assert get(running.port(), "/none").status == 404
    assert get(running.port(), "/dead").status == 502
    # Scrapes are requests too, and are counted when they are over.
    assert figure(running, "martlet_requests_total") == before + 23
    assert figure(running, "martlet_responses_total", **{"class": "4xx"}) == 1
    assert figure(running, "martlet_responses_total", **{"class": "5xx"}) == 1
    assert figure(running, "martlet_errors_total", code="no_route") == 1
    assert figure(running, "martlet_errors_total", code="connection_refused") == 1
    assert figure(running, "martlet_workers") == 2
    assert figure(running, "martlet_upstream_connections_total") >= 1


def test_connections_and_streams_that_are_open(gateway):
    running = gateway(config())
    with RawClient(running.port()) as one, H2Client(running.port()) as two:
        assert one.get("/ok").status == 200
        assert two.get("/ok").status == 200
        stream = two.open("POST", "/dead", end=False)
        two.settle()
        # The scrape's own connection is the third.
        assert figure(running, "martlet_client_connections_open") == 3
        assert figure(running, "martlet_http2_connections_open", side="client") == 1
        assert figure(running, "martlet_http2_streams_total", side="client") == 2
        two.reset(stream.number)
        two.settle()
        assert figure(running, "martlet_http2_streams_reset_total", side="client") == 1
    eventually(lambda: figure(running, "martlet_client_connections_open") == 1)
    assert figure(running, "martlet_http2_connections_open", side="client") == 0
    assert figure(running, "martlet_http2_streams_total", side="client") == 2


def test_the_listener_has_its_own_routes_alone(gateway):
    running = gateway(config())
    assert get(running.port(), "/metrics").body == b"a route's own"
    port = running.port("metrics")
    assert get(port, "/ok").status == 404
    assert get(port, "/livez").body == b"alive\n"
    assert get(port, "/readyz").body == b"ready\n"
    with RawClient(port) as client:
        assert client.get("/metrics", method="HEAD").status == 200
        assert client.get("/metrics", method="POST").status == 405
    assert not [entry for entry in running.entries(3) if entry["status"] == 200 and "metrics/" in entry.get("route", "")]


def test_readiness_ends_with_the_first_sign_of_a_stop(gateway):
    running = gateway(config("drain_delay: 1s"))
    assert get(running.port("metrics"), "/readyz").status == 200
    started = time.monotonic()
    running.terminate()
    eventually(lambda: get(running.port("metrics"), "/readyz").status == 503, 0.9)
    assert get(running.port(), "/ok").status == 200
    assert get(running.port("metrics"), "/livez").status == 200
    assert running.wait() == 0
    assert time.monotonic() - started >= 0.9


def test_reloads_are_told(gateway):
    running = gateway(config())
    first = figure(running, "martlet_config_last_reload_success_timestamp_seconds")
    assert abs(time.time() - first) < 60
    assert figure(running, "martlet_config_generation") == 1
    good = running.config_path.read_text()
    running.write(good + "nonsense: 1\n")
    assert not running.reload()
    assert figure(running, "martlet_config_last_reload_successful") == 0
    assert figure(running, "martlet_config_generation") == 1
    assert running.reload(good)
    assert figure(running, "martlet_config_last_reload_successful") == 1
    assert figure(running, "martlet_config_generation") == 2


def test_a_listener_for_metrics_comes_and_goes_with_a_reload(gateway):
    running = gateway(config())
    port = running.port("metrics")
    assert running.reload(config().replace(LISTENER, ""))
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)
    assert get(running.port(), "/ok").status == 200


def test_certificates_and_handshakes(gateway):
    running = gateway(config(listener=f", tls: {{ certificates: [{certificate('ecdsa')}] }}").replace("h2c", "h2"))
    [sample] = families(running)["martlet_tls_certificate_not_after_timestamp_seconds"].samples
    assert sample.labels == {"listener": "default", "file": pem("ecdsa")} and sample.value > time.time()
    with connect(running.port()) as client:
        assert ask(client, target="/ok")[0] == 200
    assert figure(running, "martlet_tls_handshakes_total", result="full") == 1
    assert figure(running, "martlet_tls_handshakes_total", result="failed") == 0
