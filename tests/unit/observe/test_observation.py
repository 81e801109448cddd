from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from autofix.errors import RailwayError
from autofix.models import Window
from autofix.observe.events import restart_rows
from autofix.observe.frames import COLUMNS, build_frame, tidy, validate
from autofix.observe.observation import Observation, observe, summarise
from autofix.observe.wire import LogLine
from autofix.parameters import ServiceSelection
from tests.unit.observe.railway_app import RailwayApp, deployment, edges, instance

STEP = timedelta(seconds=60)


def series(service: str, measurement: str, values: list[float], window: Window) -> dict[str, Any]:
    start = int(window.start.timestamp())
    points = [{"ts": start + 60 * i, "value": v} for i, v in enumerate(values)]
    return {"measurement": measurement, "tags": {"serviceId": service}, "values": points}


def look(app: RailwayApp, window: Window, **selection: Any) -> Observation:
    with app.client(attempts=1) as client:
        return observe(client, window, STEP, ServiceSelection(**selection))


def measured(window: Window, *names: str) -> list[dict[str, Any]]:
    return [series(name, "CPU_USAGE", [0.1, 0.3], window) for name in names]


def test_a_healthy_tick_costs_few_requests(window: Window) -> None:
    """Twenty services are read with five requests and one more for each ten with a domain."""
    names = [f"s{i:02}" for i in range(20)]
    app = RailwayApp(*(instance(name) for name in names))
    app.metrics = measured(window, *names)
    observation = look(app, window)
    assert not observation.unknown
    assert len(app.requests) <= 5 + 2


def test_samples_keep_the_contract_and_the_window(window: Window) -> None:
    """Points outside the window are dropped; what is kept is tidy."""
    app = RailwayApp(instance("api"), instance("web"))
    app.metrics = measured(window, "api", "web", "stranger")
    late = int(window.end.timestamp())
    app.metrics.append(
        {
            "measurement": "CPU_LIMIT",
            "tags": {"serviceId": "api"},
            "values": [{"ts": late, "value": 1}],
        }
    )
    samples = validate(look(app, window).samples)
    assert set(samples["service"]) == {"api", "web"}
    assert "CPU_LIMIT" not in set(samples["measurement"])


def test_a_service_whose_http_fails_is_unknown_and_the_rest_goes_on(window: Window) -> None:
    """Unknown is neither zero nor healthy."""
    app = RailwayApp(instance("api"), instance("web"), instance("docs"))
    app.metrics = measured(window, "api", "web", "docs")
    app.broken = {"web"}
    observation = look(app, window)
    assert list(observation.unknown) == ["web"]
    by_id = {s.service_id: s for s in summarise(observation)}
    assert "Problem processing request" in (by_id["web"].unknown or "")
    assert by_id["web"].rate(5) is None


def test_a_running_service_without_samples_is_unknown(window: Window) -> None:
    """No samples is not zero use; a sleeping service and a cron need none."""
    asleep = deployment("naps", status="SLEEPING")
    app = RailwayApp(
        instance("api"),
        instance("web"),
        instance("naps", activeDeployments=[], latestDeployment=asleep),
        instance("nightly", cronSchedule="0 3 * * *"),
    )
    app.metrics = measured(window, "api")
    observation = look(app, window)
    assert list(observation.unknown) == ["web"]
    assert "SUCCESS" in observation.unknown["web"]


def test_fewer_than_half_read_is_an_error_that_says_so(window: Window) -> None:
    """A tick that saw too little fails."""
    app = RailwayApp(instance("a"), instance("b"), instance("c"))
    app.metrics = measured(window, "a", "b", "c")
    app.broken = {"a", "b"}
    with pytest.raises(RailwayError, match="only 1 of 3 services could be read"):
        look(app, window)
    app.broken = {"Resources"}
    with pytest.raises(RailwayError, match="only 0 of 3"):
        look(app, window)


def test_only_selected_services_are_watched(window: Window) -> None:
    """Include and exclude go by name."""
    app = RailwayApp(instance("a"), instance("b"), instance("c"))
    app.metrics = measured(window, "a", "b", "c")
    observation = look(app, window, include=["a", "b"], exclude=["b"])
    assert [s.name for s in observation.selected] == ["a"]
    assert set(observation.samples["service"]) == {"a"}


def test_summary_weighs_percentiles_by_requests(window: Window) -> None:
    """Codes are counted, percentiles weighted, CPU and memory levelled; restarts are measured."""
    start = int(window.start.timestamp())
    app = RailwayApp(instance("api"))
    app.metrics = [
        series("api", "CPU_USAGE", [0.1, 0.3], window),
        series("api", "CPU_LIMIT", [0.5, 0.5], window),
        series("api", "MEMORY_USAGE_GB", [0.05, 0.09], window),
    ]
    app.statuses["api"] = [
        {
            "statusCode": 200,
            "samples": [{"ts": start, "value": 90}, {"ts": start + 60, "value": 8}],
        },
        {"statusCode": 503, "samples": [{"ts": start + 60, "value": 2}]},
    ]
    app.durations["api"] = [
        {"ts": start, "p50": 10, "p90": 1, "p95": 100, "p99": 200},
        {"ts": start + 60, "p50": 20, "p90": 1, "p95": 1100, "p99": 2000},
    ]
    (summary,) = summarise(look(app, window))
    assert summary.requests == 100
    assert summary.status_codes == {200: 98, 503: 2}
    assert summary.rate(5) == 2.0
    assert summary.p95_ms == pytest.approx(200.0)
    assert summary.cpu
    assert (summary.cpu.average, summary.cpu.maximum, summary.cpu.limit) == (0.2, 0.3, 0.5)
    assert summary.memory
    assert (summary.memory.maximum, summary.memory.limit) == (90.0, None)
    assert summary.restarts == 0


def test_restarts_are_unmeasured_when_the_log_cannot_be_read(window: Window) -> None:
    """A log that cannot be read makes no zero."""
    app = RailwayApp(instance("api"))
    app.metrics = measured(window, "api")
    app.broken = {"LogCounts"}
    (summary,) = summarise(look(app, window))
    assert summary.restarts is None


def test_a_volume_brings_its_own_limit(window: Window) -> None:
    """The size of a volume is the limit of the disk, measured or not."""
    volume = {"serviceId": "db", "mountPath": "/data", "currentSizeMB": 4800, "sizeMB": 5000}
    app = RailwayApp(instance("db"), volumeInstances=edges([volume]))
    app.metrics = measured(window, "db")
    samples = look(app, window).samples
    disk = samples[samples["measurement"].str.startswith("DISK")]
    assert dict(zip(disk["measurement"], disk["value"], strict=True)) == {
        "DISK_LIMIT_GB": 5.0,
        "DISK_USAGE_GB": 4.8,
    }


def line(window: Window, second: int, message: str, deployment_id: str = "d1") -> LogLine:
    return LogLine(
        at=window.start + timedelta(seconds=second),
        message=message,
        tags={"serviceId": "api", "deploymentId": deployment_id},
    )


def restarts(window: Window, *lines: LogLine) -> dict[int, float]:
    frame = build_frame(restart_rows(lines, ["api"], window, STEP))
    hits = frame[frame["value"] > 0]
    offsets = (hits["ts"] - pd.Timestamp(window.start)).dt.total_seconds().astype(int)
    return dict(zip(offsets.tolist(), hits["value"].tolist(), strict=True))


def test_starts_after_a_start_are_restarts(window: Window) -> None:
    """A first start is a deploy or a wake-up, one after a stop is planned, others are restarts."""
    start, stop = "Starting Container", "Stopping Container"
    assert restarts(window, line(window, 5, start)) == {}
    assert restarts(window, line(window, 5, stop), line(window, 9, start)) == {}
    crashing = [line(window, second, start) for second in (5, 70, 75)]
    assert restarts(window, *crashing) == {60: 2.0}
    assert restarts(window, line(window, 5, start), line(window, 70, start, "d2")) == {}
    assert restarts(window, line(window, 5, "Container restarted (exit 137)")) == {0: 1.0}


def test_an_application_cannot_pass_for_the_platform_by_quoting_it(window: Window) -> None:
    """Only lines that begin as the platform's do are counted."""
    assert restarts(window, line(window, 5, "INFO user said Container restarted")) == {}


def test_a_frame_that_breaks_the_contract_is_refused() -> None:
    """Each part of the contract is checked."""
    good = build_frame([(0, "a", "CPU_USAGE", 1.0), (60, "a", "CPU_USAGE", None)])
    assert len(validate(good)) == 1
    two = build_frame([(0, "a", "CPU_USAGE", 1.0), (60, "a", "CPU_USAGE", 2.0)])
    bad = {
        "columns": good.rename(columns={"ts": "time"}),
        "ts is": good.assign(ts=good["ts"].dt.tz_localize(None)),
        "NaN": good.assign(value=float("nan")),
        "unknown measurement": good.assign(measurement="FREE_LUNCH"),
        "not sorted": two.iloc[::-1],
    }
    for message, frame in bad.items():
        with pytest.raises(ValueError, match=message):
            validate(frame)
    assert tuple(tidy(two.iloc[::-1]).columns) == COLUMNS
