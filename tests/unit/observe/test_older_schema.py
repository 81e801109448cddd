"""A schema from before the HTTP metrics: found by one probe, read by request logs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from autofix.models import Window
from autofix.observe.observation import observe
from autofix.parameters import ServiceSelection
from tests.unit.observe.railway_app import RailwayApp, deployment, edges, instance

STEP = timedelta(seconds=60)
OLDER = {"httpMetricsGroupedByStatus", "httpDurationMetrics", "activeDeployments"}


def request(window: Window, second: float, status: int = 200, ms: int = 10) -> dict[str, Any]:
    at = (window.start + timedelta(seconds=second)).isoformat()
    return {"timestamp": at, "httpStatus": status, "totalDuration": ms}


@pytest.fixture
def app(window: Window) -> RailwayApp:
    app = RailwayApp(*(instance(f"s{i}") for i in range(12)))
    app.lacking = set(OLDER)
    point = {"ts": int(window.start.timestamp()), "value": 0.1}
    app.metrics = [
        {"measurement": "CPU_USAGE", "tags": {"serviceId": f"s{i}"}, "values": [point]}
        for i in range(12)
    ]
    return app


def test_rates_come_from_request_logs_by_anchor(app: RailwayApp, window: Window) -> None:
    """Counts and percentiles per step; the newer fields are named once and never again."""
    app.logs["http d-s0"] = [request(window, 5, ms=ms) for ms in range(1, 101)]
    app.logs["http d-s0"].append(request(window, 65, 503, 3000))
    with app.client() as client:
        observation = observe(client, window, STEP, ServiceSelection())
        again = observe(client, window, STEP, ServiceSelection())
    frame = observation.samples[observation.samples["service"] == "s0"]
    first = frame[frame["ts"] == frame["ts"].min()].set_index("measurement")["value"]
    assert first[["HTTP_2XX", "HTTP_P50_MS", "HTTP_P95_MS", "HTTP_P99_MS"]].tolist() == [
        100,
        50,
        95,
        99,
    ]
    assert observation.status_codes["s0"] == {200: 100, 503: 1}
    assert observation.sampled == {}
    assert app.names().count("Schema") == 1
    refused = [r for r in app.requests if any(f in r["query"] for f in OLDER)]
    assert [r["name"] for r in refused] == ["Architecture"]
    samples = [r for r in app.requests if r["name"] == "HttpSample"]
    assert not any("startDate" in r["query"] for r in samples)
    assert len(samples) == 2 * 2, "six logs of up to 5,000 rows a request"
    assert again.status_codes == observation.status_codes


def test_only_the_http_metrics_are_missing(app: RailwayApp, window: Window) -> None:
    """Found at the first batch of HTTP metrics; the batches beside it may be refused as well."""
    app.lacking = {"httpDurationMetrics"}
    app.logs["http d-s0"] = [request(window, 5)]
    app.logs["http d-s11"] = [request(window, 5)]
    with app.client(limits={"workers": 1}) as client:
        reading = client.fetch_http(["s0", "s11"], window, STEP, {"s0": ["d-s0"], "s11": ["d-s11"]})
    assert set(reading.services) == {"s0", "s11"}
    assert app.names() == ["Http", "Schema", "HttpSample"]


def test_a_log_that_did_not_fit_says_that_rates_are_of_a_sample(
    app: RailwayApp, window: Window
) -> None:
    """Steps before the oldest row have no rate, and the report can say why."""
    app.logs["http d-s0"] = [request(window, 130 + i) for i in range(100)]
    with app.client(limits={"log_rows": 100}) as client:
        observation = observe(client, window, STEP, ServiceSelection())
    assert list(observation.sampled) == ["s0"]
    assert "newest 100 requests, since 14:02:10 UTC" in observation.sampled["s0"]
    rates = observation.samples.query("service == 's0' and measurement == 'HTTP_2XX'")
    assert rates["ts"].min() == window.start + timedelta(seconds=180)
    assert rates["value"].tolist() == [50]


def test_both_deployments_of_a_deploy_in_the_window_count(app: RailwayApp, window: Window) -> None:
    """The requests before the deploy are in the log of the deployment before."""
    now = (window.start + timedelta(minutes=10)).isoformat()
    new = deployment("s0", now, id="new")
    app.services[0] = instance("s0", latestDeployment=new)
    app.environment = {
        "deployments": edges(
            [deployment("s0", id="d-s0"), deployment("s0", "2026-03-01T00:00:00Z", id="older")]
        )
    }
    app.logs |= {"http new": [request(window, 700)], "http d-s0": [request(window, 5)]}
    app.logs["http older"] = [request(window, 6)]
    with app.client() as client:
        observation = observe(client, window, STEP, ServiceSelection(include=["s0"]))
    assert observation.status_codes["s0"] == {200: 2}


def test_one_failing_log_costs_only_its_service(app: RailwayApp, window: Window) -> None:
    """It is unknown; the others are read."""
    app.broken = {"d-s3"}
    for i in range(12):
        app.logs[f"http d-s{i}"] = [request(window, 5)]
    with app.client(attempts=1) as client:
        observation = observe(client, window, STEP, ServiceSelection())
    assert list(observation.unknown) == ["s3"]
