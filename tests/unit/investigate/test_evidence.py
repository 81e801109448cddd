from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.investigate.deploys import render_history, serving
from autofix.investigate.evidence import ITEM_CAP, MISSING, SERVICE_CAP, cut, gather_evidence
from autofix.investigate.routes import build_routes, mask_path
from autofix.investigate.series import render_series, sparkline
from autofix.investigate.verdict import judge
from autofix.models import (
    Architecture,
    Deployment,
    EvidenceItem,
    Incident,
    Service,
    ServiceKind,
    ServiceSummary,
    Signal,
    VerdictKind,
    Window,
)
from autofix.observe.frames import build_frame
from autofix.observe.wire import HttpLogLine
from autofix.redact import redactor
from tests.unit.observe.railway_app import RailwayApp, deployment

STEP = timedelta(seconds=60)
SECRET = "hunter2-hunter2"


@pytest.fixture
def incident(make_service: Any, make_finding: Any, window: Window) -> Incident:
    return Incident(
        fingerprint="0123456789",
        environment_id="e1",
        service=make_service(),
        findings=(make_finding(),),
        onset=window.start + timedelta(minutes=1),
        deployed_commit="c" * 40,
        window=window,
    )


def architecture(*services: Service) -> Architecture:
    return Architecture(
        project_id="p1",
        project_name="shop",
        environment_id="e1",
        environment_name="production",
        services=services,
    )


def full_app(window: Window) -> RailwayApp:
    """A service with errors, routes, metrics and history, beside a database at its limit."""
    app, start = RailwayApp(), int(window.start.timestamp())

    def series(service: str, name: str, values: list[float]) -> None:
        points = [{"ts": start + 60 * i, "value": v} for i, v in enumerate(values)]
        tags = {"serviceId": service}
        app.metrics.append({"measurement": name, "tags": tags, "values": points})

    series("svc-billing-api", "MEMORY_USAGE_GB", [0.02 + i / 400 for i in range(30)])
    series("svc-billing-api", "MEMORY_LIMIT_GB", [0.096] * 30)
    series("svc-db", "CPU_USAGE", [0.199] * 30)
    series("svc-db", "CPU_LIMIT", [0.2] * 30)
    app.statuses["svc-billing-api"] = [{"statusCode": 500, "samples": [{"ts": start, "value": 4}]}]
    lines = [("error", "Traceback (most recent call last):"), ("error", "KeyError: 'tax'")]
    lines += [("info", f"page=orders queries={n} token={SECRET}") for n in range(40)]
    lines += [("info", "Container killed: memory limit exceeded")]
    app.logs["dep-billing-api"] = [
        {"timestamp": f"2026-03-02T14:01:{i:02}Z", "message": m, "severity": s}
        for i, (s, m) in enumerate(lines)
    ]
    app.logs["http dep-billing-api"] = [
        http(f"/invoices/{i}?key={SECRET}", 500 if i % 4 == 0 else 200, 30) for i in range(20)
    ]
    app.logs["deployments svc-billing-api"] = [deployment("svc-billing-api")]
    return app


def http(path: str, status: int, ms: int) -> dict[str, Any]:
    at = "2026-03-02T14:02:00Z"
    return {
        "timestamp": at,
        "method": "GET",
        "path": path,
        "httpStatus": status,
        "totalDuration": ms,
    }


def gather(
    app: RailwayApp, incident: Incident, *others: Service, first_id: int = 1
) -> tuple[ServiceSummary, tuple[EvidenceItem, ...]]:
    redact = redactor([SECRET])
    with app.client(attempts=1) as client:
        return gather_evidence(
            client, incident, architecture(incident.service, *others), STEP, redact, first_id
        )


def test_every_source_gives_its_item(incident: Incident, make_service: Any, window: Window) -> None:
    """Findings first, then what decides; ids run from the first one given."""
    database = make_service("db", kind=ServiceKind.database, image="acme/rowstore:1", domains=())
    summary, items = gather(full_app(window), incident, database, first_id=4)
    assert [i.id for i in items] == [f"E{n}" for n in range(4, 12)]
    assert [i.source for i in items] == [
        "findings", "deployment log", "deployment log", "deployment log",
        "http log", "metrics", "databases", "deployments",
    ]  # fmt: skip
    texts = [i.text for i in items]
    assert "KeyError: 'tax'" in texts[1]
    assert "memory limit exceeded" in texts[2]
    assert "page=orders queries=39" in texts[3]
    assert "GET /invoices/{id}" in texts[4]
    assert "limit 96" in texts[5]
    assert items[6].why == "CPU of db is at its limit"
    assert "live at the onset" in texts[7]
    assert summary.memory
    assert summary.status_codes == {500: 4}


def test_no_secret_leaves(incident: Incident, window: Window) -> None:
    """A live secret in a log line and in a query string is gone from every text."""
    _, items = gather(full_app(window), incident)
    assert "«secret»" in "".join(i.text for i in items)
    assert SECRET not in json.dumps([i.model_dump(mode="json") for i in items])


def test_the_budget_holds_however_much_was_logged(incident: Incident, window: Window) -> None:
    """A thousand shapes of long lines stay within both caps, and how it began survives."""
    app = full_app(window)
    words = [f"{a}{b}{c}" for a in "abcdefghij" for b in "klmnopqrst" for c in "uvwxyzabcd"]
    app.logs["dep-billing-api"] += [
        {"timestamp": "2026-03-02T14:05:00Z", "message": f"{w} " * 300, "severity": s}
        for w in words
        for s in ("info", "error")
    ]
    app.logs["http dep-billing-api"] += [http(f"/{w}", 404, 9) for w in words]
    _, items = gather(app, incident)
    assert max(len(i.text) for i in items) <= ITEM_CAP
    assert sum(len(i.text) for i in items) <= SERVICE_CAP
    assert "KeyError: 'tax'" in items[1].text


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("Resources", "metrics"),
        ("DeploymentLog", "deployment log"),
        ("HttpLog", "http log"),
        ("Deployments", "deployments"),
    ],
)
def test_a_source_that_fails_says_so_and_the_others_go_on(
    incident: Incident, window: Window, query: str, source: str
) -> None:
    """Nothing is left out silently."""
    app = full_app(window)
    app.broken = {query}
    _, items = gather(app, incident)
    failed = [i.source for i in items if i.text.startswith(MISSING)]
    assert failed == [source]
    assert "Problem processing request" in next(i.text for i in items if i.source == source)
    assert len(items) >= 4


def test_a_verdict_cites_no_item_that_could_not_be_read(incident: Incident, window: Window) -> None:
    """What was not read shows nothing."""
    app = full_app(window)
    app.broken = {"DeploymentLog"}
    _, items = gather(app, incident)
    verdict = judge(incident, items)
    cited = [i.source for i in items if i.id in verdict.evidence]
    assert (verdict.kind, cited) == (VerdictKind.code_fix, ["findings", "http log"])


# ------------------------------------------------------------------ verdicts


def verdict_of(incident: Incident, make_finding: Any, *signals: Signal, **service: Any) -> Any:
    findings = tuple(make_finding(signal=signal, reason=f"{signal} is high") for signal in signals)
    changed = incident.service.model_copy(update=service)
    return judge(incident.model_copy(update={"findings": findings, "service": changed}), ())


def test_high_use_alone_is_no_action(incident: Incident, make_finding: Any) -> None:
    """Maybe the service is just successful."""
    verdict = verdict_of(incident, make_finding, Signal.cpu, Signal.memory)
    assert verdict.kind is VerdictKind.no_action
    assert "nothing suffers" in verdict.reason
    assert "cpu is high" in verdict.reason


@pytest.mark.parametrize(
    "signal", [Signal.http_5xx, Signal.latency, Signal.crash_loop, Signal.http_4xx]
)
def test_high_use_that_hurts_is_a_fix(
    incident: Incident, make_finding: Any, signal: Signal
) -> None:
    """Errors, slow requests and restarts make level use a symptom."""
    assert verdict_of(incident, make_finding, Signal.cpu, signal).kind is VerdictKind.code_fix


def test_without_a_repository_nothing_can_be_fixed(incident: Incident, make_finding: Any) -> None:
    """A service from an image is reported."""
    verdict = verdict_of(incident, make_finding, Signal.http_5xx, repository=None, image="acme/x:1")
    assert verdict.kind is VerdictKind.insufficient_evidence
    assert "acme/x:1" in verdict.reason


def test_a_database_is_judged_with_its_callers(incident: Incident, make_finding: Any) -> None:
    """Its saturation is a symptom of the services that query it, not a success of its own."""
    verdict = verdict_of(incident, make_finding, Signal.cpu, kind=ServiceKind.database)
    assert verdict.kind is VerdictKind.insufficient_evidence
    assert "services that query it" in verdict.reason


def test_a_full_volume_alone_is_for_a_person(incident: Incident, make_finding: Any) -> None:
    """Nothing in the evidence says whether it may fill."""
    assert verdict_of(incident, make_finding, Signal.disk).kind is VerdictKind.insufficient_evidence


def test_a_database_is_cited_where_requests_are_slow(
    incident: Incident, make_finding: Any, make_service: Any, window: Window
) -> None:
    """Errors alone do not blame what stands beside them."""
    database = make_service("db", kind=ServiceKind.database, domains=())
    _, items = gather(full_app(window), incident, database)
    (beside,) = [i.id for i in items if i.source == "databases"]
    assert beside not in judge(incident, items).evidence
    slow = incident.model_copy(update={"findings": (make_finding(signal=Signal.latency),)})
    assert beside in judge(slow, items).evidence


# ------------------------------------------------------------------ parts


def test_failing_and_slow_routes_come_first() -> None:
    """A few failures outrank many slow requests, and those many fast ones."""
    rows = [("/health", 200, 2)] * 50 + [("/search", 200, 1500)] * 9 + [("/invoices/7", 500, 20)]
    lines = [HttpLogLine.model_validate(http(*row)) for row in rows]
    assert [(r.path, r.count) for r in build_routes(lines)] == [
        ("/invoices/{id}", 1),
        ("/search", 9),
        ("/health", 50),
    ]


def test_ids_in_paths_are_masked() -> None:
    """One route is one line, and a query string never shows."""
    assert mask_path("/users/42/orders/0f8fad5b-d9cb-469f-a165-70867728950e?t=secret") == (
        "/users/{id}/orders/{id}"
    )
    assert mask_path("/v1/health") == "/v1/health"


def test_a_sparkline_shows_gaps() -> None:
    """What was not measured is a dot and no low value; a steady line is flat."""
    assert sparkline([0, None, 5, 10], 10) == "▁·▅█"
    assert sparkline([3, 3], 3) == "██"
    assert sparkline([2, 30], 10) == "▂█"
    assert sparkline([0, 0], 0) == "▁▁"


def test_a_status_class_that_was_not_named_is_zero(window: Window) -> None:
    """Beside requests that succeeded, no errors are no gap; without requests they are."""
    at = window.start.timestamp()
    quiet = [(at + 60 * i, "s", "HTTP_2XX", 9.0) for i in range(20)]
    text = render_series(build_frame([*quiet, (at, "s", "HTTP_5XX", 3.0)]), "s", window)
    errors = next(line for line in text.split("\n") if line.startswith("5xx"))
    assert errors.split()[1] == "█" + "▁" * 15 + "·" * 8
    assert "3 → 0 a step, average 0.15" in errors


def test_history_says_what_changed(window: Window) -> None:
    """The deployment that was live at the onset, and the commit it replaced."""

    def deploy(name: str, minutes: int, status: str = "REMOVED") -> Deployment:
        at = window.start + timedelta(minutes=minutes)
        return Deployment(
            id=name,
            service_id="s",
            status=status,
            created_at=at,
            commit=name * 20,
            commit_message=name,
        )

    history = [deploy("aa", -90), deploy("bb", -30, "SUCCESS"), deploy("cc", -5, "FAILED")]
    text = render_history(history, window.start + timedelta(minutes=5))
    assert text.startswith(
        "Live at the onset: bbbbbbbbbbbb, deployed 35 min before the onset; "
        "it replaced aaaaaaaaaaaa."
    )
    assert [d.id for d in serving([*history, deploy("dd", 10)], window)] == ["dd", "bb"]


@given(st.lists(st.text(max_size=40), max_size=60).map("\n".join), st.integers(40, 400))
def test_a_cut_text_is_within_its_cap_and_keeps_its_beginning(text: str, cap: int) -> None:
    """The decisive lines stand first, so the end goes."""
    short = cut(text, cap)
    assert len(short) <= cap
    if short != text and "lines dropped" in short:
        assert text.startswith(short.rsplit("\n", 1)[0])
