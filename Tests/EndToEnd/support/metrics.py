"""What the metrics listener says, read by the parsers of Prometheus's own client library."""

import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

LISTENER = 'metrics: { bind: "127.0.0.1:0" }'


def scrape(running, accept: str | None = None):
    answer = requests.get(running.url("/metrics", "metrics"), headers={"Accept": accept or "*/*"}, timeout=10)
    assert answer.status_code == 200
    return answer


def families(running) -> dict:
    """By name."""
    found = list(prometheus(scrape(running).text))
    assert len({family.name for family in found}) == len(found)
    return {family.name: family for family in found}


def figure(running, name: str, **labels: str) -> float:
    """The value of one sample."""
    found = [sample.value for family in families(running).values() for sample in family.samples if sample.name == name and sample.labels == labels]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def strict(running) -> dict:
    """By name, in OpenMetrics, whose parser forgives nothing."""
    answer = scrape(running, "application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    return {family.name: family for family in openmetrics(answer.text)}
