from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pandas as pd
import pytest

from autofix.errors import RailwayError
from autofix.models import Window
from autofix.observe.events import restart_rows
from autofix.observe.frames import COLUMNS, build_frame, tidy, validate
from autofix.observe.observation import Observation, observe
from autofix.observe.summary import summarise
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


def test_an_empty_project_is_read_and_has_nothing(window: Window) -> None:
    """No services: no metrics are asked for, and nothing is unknown."""
    app = RailwayApp()
    observation = look(app, window)
    assert (observation.selected, dict(observation.unknown)) == ((), {})
    assert validate(observation.samples).empty
    assert summarise(observation) == ()
    assert app.names() == ["Architecture"]


def test_a_service_that_was_never_deployed_is_not_watched(window: Window) -> None:
    """It is part of the architecture, and neither healthy nor unknown."""
    never = instance("draft", latestDeployment=None, activeDeployments=[])
    app = RailwayApp(instance("api"), never)
    app.metrics = measured(window, "api")
    observation = look(app, window)
    assert [s.name for s in observation.architecture.services] == ["api", "draft"]
    assert [s.name for s in observation.selected] == ["api"]


def test_a_healthy_tick_of_every_kind_stays_within_its_requests(window: Window) -> None:
    """300 services, 25 of them crons: at most 5 + one for each ten with a domain."""
    web = [instance(f"w{i:03}") for i in range(275)]
    crons = [
        instance(f"c{i:02}", cronSchedule="*/5 * * * *", domains=None, source=None)
        for i in range(25)
    ]
    app = RailwayApp(*web, *crons)
    app.metrics = measured(window, *(s["serviceId"] for s in web))
    with app.client() as client:
        observation = observe(client, window, None, ServiceSelection())
        assert client.traffic.requests == len(app.requests)
    assert not observation.unknown
    assert observation.step == timedelta(seconds=90)
    assert len(app.requests) <= 5 + 28


def test_services_beyond_one_page_are_followed(window: Window) -> None:
    """Each page is asked for once, and only for what goes on."""
    names = [f"s{i:03}" for i in range(25)]
    app = RailwayApp(*(instance(name) for name in names))
    with app.client(limits={"page": 10}) as client:
        architecture = client.fetch_architecture()
    assert [s.name for s in architecture.services] == names
    pages = [r["variables"] for r in app.requests]
    assert [p["servicesAfter"] for p in pages] == [None, "10", "20"]
    assert [p["volumes"] for p in pages] == [True, False, False]
    with (
        app.client(limits={"page": 10, "pages": 2}) as client,
        pytest.raises(RailwayError, match="more than 2 pages"),
    ):
        client.fetch_architecture()


def test_a_page_that_leads_to_itself_is_an_error(window: Window) -> None:
    """A server that repeats its cursor is not followed for ever."""
    stuck = {"pageInfo": {"hasNextPage": True, "endCursor": "x"}, "edges": []}
    app = RailwayApp(serviceInstances=stuck)
    with app.client() as client, pytest.raises(RailwayError, match="leads to itself"):
        client.fetch_architecture()
    assert len(app.requests) == 2


def dated(app: RailwayApp, at: datetime) -> None:
    """Every answer carries this date."""
    answer = app.answer_Architecture

    def with_date(variables: dict[str, Any]) -> Any:
        response = answer(variables)
        response.headers["Date"] = format_datetime(at, usegmt=True)
        return response

    app.answer_Architecture = with_date  # type: ignore[method-assign]


def test_a_window_that_ends_in_railways_future_is_measured_up_to_its_present(
    window: Window,
) -> None:
    """Our clock is ahead: what Railway has not lived yet is no zero, and the report says so."""
    app = RailwayApp(instance("api"))
    app.metrics = measured(window, "api")
    dated(app, window.end - timedelta(minutes=10))
    observation = look(app, window)
    assert observation.window == window
    assert observation.samples["ts"].max() == window.end - timedelta(minutes=11)
    assert "600 s ahead of Railway's clock" in observation.notes[0]


def test_a_window_that_lies_in_railways_future_cannot_be_read(window: Window) -> None:
    """Nothing could have been measured: an error that names the clock, not a healthy project."""
    app = RailwayApp(instance("api"))
    dated(app, window.start - timedelta(hours=3))
    with pytest.raises(RailwayError, match="2026-03-02 11:00:00 UTC, before the window begins"):
        look(app, window)


def test_small_differences_of_clocks_are_not_worth_a_word(window: Window) -> None:
    """Neither is a window of the past."""
    for at in (window.end - timedelta(seconds=20), window.end + timedelta(days=90)):
        app = RailwayApp(instance("api"))
        app.metrics = measured(window, "api")
        dated(app, at)
        assert look(app, window).notes == ()


def error_line(window: Window, second: float, service: str = "api") -> dict[str, Any]:
    at = (window.start + timedelta(seconds=second)).isoformat()
    return {"timestamp": at, "tags": {"serviceId": service}}


def counted(observation: Observation, measurement: str = "LOG_ERRORS") -> pd.Series:
    samples = observation.samples
    return samples[samples["measurement"] == measurement].set_index("ts")["value"]


def test_error_lines_are_paged_back(window: Window) -> None:
    """Three pages, overlapping at their anchors: every line counts once."""
    app = RailwayApp(instance("api"))
    app.metrics = measured(window, "api")
    app.logs["errors"] = [error_line(window, 5 * i) for i in range(25)]
    app.logs["errors"].insert(10, app.logs["errors"][10])
    with app.client(limits={"log_rows": 10}) as client:
        observation = observe(client, window, STEP, ServiceSelection())
    assert counted(observation).sum() == 26
    assert observation.notes == ()


def test_more_error_lines_than_pages_are_counted_where_they_are_whole(window: Window) -> None:
    """The rest of the window has no row, and the report says from when on it counts."""
    app = RailwayApp(instance("api"))
    app.metrics = measured(window, "api")
    app.logs["errors"] = [error_line(window, i) for i in range(1800)]
    with app.client(limits={"log_rows": 100, "log_pages": 2}) as client:
        observation = observe(client, window, STEP, ServiceSelection())
    errors = counted(observation)
    assert set(errors) == {60.0}
    assert errors.index.min() == window.start + timedelta(seconds=1620)
    assert "error lines are counted since 14:26:" in observation.notes[0]


@pytest.mark.parametrize(("broken", "kept"), [("errors", "RESTARTS"), ("platform", "LOG_ERRORS")])
def test_one_log_that_fails_leaves_the_other(window: Window, broken: str, kept: str) -> None:
    """What was not read has no rows, and the report says so."""
    app = RailwayApp(instance("api"))
    app.metrics = measured(window, "api")
    app.broken = {f"log {broken}"}
    observation = look(app, window)
    measurements = set(observation.samples["measurement"])
    assert measurements & {"RESTARTS", "LOG_ERRORS"} == {kept}
    assert "could not be read" in observation.notes[0]


def test_runs_of_crons_become_samples(window: Window) -> None:
    """A cron that cannot be read says so; the other is counted."""
    app = RailwayApp(
        instance("api"),
        instance("good", cronSchedule="*/5 * * * *"),
        instance("bad", cronSchedule="*/5 * * * *"),
    )
    app.metrics = measured(window, "api")
    at = (window.start + timedelta(seconds=70)).isoformat()
    app.runs["good"] = edges([{"status": "CRASHED", "createdAt": at, "completedAt": at}])
    app.broken = {"bad"}
    with app.client(attempts=1) as client:
        observation = observe(client, window, STEP, ServiceSelection(exclude=["api"]))
    failed = observation.samples[observation.samples["measurement"] == "CRON_FAILED"]
    assert set(failed["service"]) == {"good"}
    assert failed["value"].sum() == 1
    assert any("runs of bad are not counted" in note for note in observation.notes)
    assert list(observation.unknown) == ["bad"], "neither samples nor runs"


def test_network_is_a_measurement_and_is_dropped_with_a_word(window: Window) -> None:
    """It is the first to go when the answer would be too long."""
    app = RailwayApp(instance("api"))
    app.metrics = [*measured(window, "api"), series("api", "NETWORK_RX_GB", [0.1], window)]
    assert counted(look(app, window), "NETWORK_RX_GB").tolist() == [0.1]
    with app.client(limits={"points": 120}) as client:
        observation = observe(client, window, STEP, ServiceSelection())
    assert counted(observation, "NETWORK_RX_GB").empty
    assert "network traffic was not read" in observation.notes[0]


def test_the_latest_deployment_is_known_though_another_serves() -> None:
    """A build that failed is among the deployments, however many came after it."""
    failed = deployment("api", "2026-03-02T13:00:00Z", id="d2", status="FAILED")
    app = RailwayApp(instance("api", latestDeployment=failed))
    with app.client() as client:
        assert [d.id for d in client.fetch_architecture().deployments] == ["d2"]
