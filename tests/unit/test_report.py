from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from autofix.models import (
    Architecture,
    EvidenceItem,
    Level,
    PlatformStatus,
    ServiceKind,
    ServiceSummary,
    Severity,
    Signal,
    Volume,
    Window,
)
from autofix.observe.frames import build_frame
from autofix.observe.observation import Observation
from autofix.observe.summary import summarise
from autofix.parameters import Thresholds
from autofix.report import (
    build_signal_rows,
    render_architecture,
    render_context,
    render_evidence,
    render_findings,
    render_notes,
    render_signals,
    render_summary,
)

NONCE = "4f1d20c3a9"


def architecture(make_service: Any) -> Architecture:
    return Architecture(
        project_id="p1",
        project_name="shop",
        environment_id="e1",
        environment_name="production",
        services=(
            make_service("billing-api", root_directory="services/billing", replicas=2),
            make_service("mailer", kind=ServiceKind.worker, domains=(), sleeping=True),
            make_service("report", kind=ServiceKind.cron, domains=(), cron_schedule="0 3 * * *"),
            make_service(
                "db",
                kind=ServiceKind.database,
                repository=None,
                branch=None,
                deployment=None,
                image="postgres:16",
                domains=(),
            ),
        ),
        volumes=(Volume(name="rows", service_id="svc-db", used_mb=4800, size_mb=5000),),
        platform=PlatformStatus(stable=False, incident="investigating: slow\nbuilds"),
    )


def test_architecture(make_service: Any) -> None:
    """Services by kind with where their code comes from, volumes, and the platform's state."""
    assert render_architecture(architecture(make_service)) == snapshot("""\
Project shop, environment production. The platform reports: investigating: slow builds

**Web services**

- billing-api: from acme/billing-api (main), folder services/billing, commit cccccccccccc, SUCCESS since 2026-03-01T14:30:00Z, 2 replicas, at billing-api.example.test

**Workers**

- mailer: from acme/mailer (main), commit cccccccccccc, SUCCESS since 2026-03-01T14:30:00Z, asleep

**Crons**

- report: from acme/report (main), commit cccccccccccc, SUCCESS since 2026-03-01T14:30:00Z, schedule `0 3 * * *`

**Databases**

- db: from postgres:16, volume rows 4,800 of 5,000 MB (96 % full)\
""")


def test_summary(make_service: Any, window: Window) -> None:
    """Use against limits, codes, rates and latency of one service."""
    summary = ServiceSummary(
        service_id="s",
        window=window,
        cpu=Level(average=0.05, maximum=0.2, limit=0.25, unit="vCPU"),
        memory=Level(average=61.2, maximum=95.9, unit="MB"),
        requests=1240,
        status_codes={200: 1100, 404: 63, 500: 77},
        p50_ms=12,
        p95_ms=3400,
        restarts=2,
    )
    assert render_summary(make_service(), summary) == snapshot("""\
From 2026-03-02T14:00:00Z to 2026-03-02T14:30:00Z: billing-api
- CPU: average 0.05, maximum 0.2 vCPU, limit 0.25 vCPU (20 % used on average)
- memory: average 61.2, maximum 95.9 MB, no known limit
- requests: 1,240 (200: 1,100, 404: 63, 500: 77)
- 5xx: 6.2 %, 4xx: 5.1 %
- latency: p50 12 ms, p95 3.4 s, p99 unknown
- restarts: 2\
""")


def test_an_unread_service_is_unknown_and_never_zero(make_service: Any, window: Window) -> None:
    """What was not measured is said to be unknown."""
    summary = ServiceSummary(service_id="s", window=window, unknown="Railway: no answer in time")
    text = render_summary(make_service(), summary)
    assert text == snapshot("""\
From 2026-03-02T14:00:00Z to 2026-03-02T14:30:00Z: billing-api
- could not be read: Railway: no answer in time
- CPU: unknown
- memory: unknown
- requests: unknown
- 5xx: unknown, 4xx: unknown
- latency: p50 unknown, p95 unknown, p99 unknown
- restarts: unknown\
""")


def test_signals(make_service: Any, make_finding: Any, window: Window) -> None:
    """One row a service; the levels stand first, findings are marked, unread ones unknown."""
    at = window.start.timestamp()
    frame = build_frame(
        [
            (at, "svc-billing-api", "CPU_USAGE", 0.1),
            (at, "svc-billing-api", "CPU_LIMIT", 0.5),
            (at, "svc-billing-api", "HTTP_2XX", 94.0),
            (at, "svc-billing-api", "HTTP_5XX", 6.0),
            (at, "svc-billing-api", "HTTP_P95_MS", 120.0),
            (at, "svc-billing-api", "RESTARTS", 0.0),
        ]
    )
    observation = Observation(
        window=window,
        step=timedelta(seconds=60),
        architecture=architecture(make_service),
        selected=(make_service(), make_service("pipe|web"), make_service("mailer", domains=())),
        samples=frame,
        status_codes={"svc-billing-api": {200: 94, 500: 6}},
        unknown={"svc-pipe|web": "no answer"},
    )
    rows = build_signal_rows(
        observation.selected, summarise(observation), Thresholds(), [make_finding()]
    )
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    assert render_signals(rows, Thresholds()) == snapshot("""\
| Service | State | CPU | Memory | 5xx | p95 | Restarts | 4xx | Requests | Disk | Kind |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| warning / critical |  | 70 / 90 % | 70 / 90 % | 1 / 5 % | 1000 / 3000 ms | 1 / 3 | 10 / 25 % |  | 80 / 95 % |  |
| billing-api | affected | 20 % | unknown | ✖ 6.0 % | 120 ms | 0 | 0.0 % | 100 | – | web |
| pipe¦web | unknown | unknown | unknown | unknown | unknown | unknown | unknown | unknown | – | web |
| mailer | healthy | unknown | unknown | – | – | unknown | – | – | – | web |

CPU, memory and latency count when they hold for 60% of the samples; HTTP is judged from 50 requests.\
""")


def test_findings(make_finding: Any) -> None:
    """Critical ones first; none is a sentence of its own."""
    warning = make_finding("web", severity=Severity.warning, signal=Signal.cpu, reason="CPU 80 %")
    assert render_findings([warning, make_finding()]) == snapshot("""\
- **critical** billing-api · http_5xx: 5xx 6.2 % over 30 min (threshold 5.0 %), 1,240 requests, since 14:05 UTC
- **warning** web · cpu: CPU 80 %\
""")
    assert render_findings([]) == snapshot(
        "No findings: every service that was read is within its thresholds."
    )


def test_context(make_context: Any) -> None:
    """A heading with the name, the summary, the verdict and the fenced evidence."""
    assert render_context(make_context(items=1), NONCE) == snapshot("""\
### Service billing-api

From 2026-03-02T14:00:00Z to 2026-03-02T14:30:00Z: billing-api
- CPU: unknown
- memory: unknown
- requests: 1,240 (200: 1,163, 500: 77)
- 5xx: 6.2 %, 4xx: 0.0 %
- latency: p50 12 ms, p95 48 ms, p99 80 ms
- restarts: unknown

Verdict: code_fix: errors in our code (evidence: E1)

[E1] deployment log · 2026-03-02T14:00:00Z – 2026-03-02T14:30:00Z
why: errors in the window
~~~ 4f1d20c3a9
line 1 of billing-api
~~~ 4f1d20c3a9
~~~\
""")


@given(
    st.lists(
        st.sampled_from(
            ["~~~", "~~~~", f"~~~ {NONCE}", NONCE, "### Service web", "[E9] x", "why:", "a", ""]
        ),
        max_size=12,
    ).map("\n".join)
)
def test_a_fence_cannot_be_closed_from_inside(text: str) -> None:
    """Whatever an item holds, only its own two fence lines carry the nonce."""
    at = datetime.fromisoformat("2026-03-02T14:00:00Z")
    item = EvidenceItem(id="E1", source="log", start=at, end=at, why="x\n### y", text=text)
    lines = render_evidence([item], NONCE).split("\n")
    fences = [i for i, line in enumerate(lines) if NONCE in line]
    assert fences == [2, len(lines) - 2]
    tildes = lines[-1]
    assert lines[2] == lines[-2] == f"{tildes} {NONCE}"
    inside = lines[3:-2]
    assert not any(line.strip().startswith(tildes) for line in inside)
    assert lines[1] == "why: x ### y"


def test_notes_about_the_window_are_listed_and_nothing_is_said_without_any():
    """Each note on a line of its own, whatever its text."""
    assert render_notes([]) == ""
    assert render_notes(["one", "two\n# three"]) == "**About this window**\n\n- one\n- two # three"
