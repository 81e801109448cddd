from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inline_snapshot import snapshot

from autofix.models import Finding, IncidentRecord, IncidentState, Severity, Signal
from autofix.parameters import Autonomy
from autofix.tick import render_tick
from tests.conftest import NOW, WINDOW


def _record(service: str, **fields: Any) -> IncidentRecord:
    defaults: dict[str, Any] = {
        "fingerprint": f"fp-{service}",
        "episode": 1,
        "attempt": 1,
        "environment_id": "env-1",
        "service_id": f"svc-{service}",
        "service": service,
        "first_signal": Signal.http_5xx,
        "deployed_commit": "c" * 40,
        "onset": NOW,
        "opened_at": NOW,
        "last_seen": NOW,
    }
    return IncidentRecord(**(defaults | fields))


def _render(
    findings: tuple[Finding, ...] = (), records: tuple[IncidentRecord, ...] = (), **more: Any
) -> str:
    defaults: dict[str, Any] = {
        "handed_on": [],
        "unknown": {},
        "pictures": [],
        "autonomy": Autonomy.plan,
    }
    return render_tick(WINDOW, 8, findings, records, **(defaults | more))


def test_a_tick_with_trouble_reads_as_a_report(make_finding: Callable[..., Finding]) -> None:
    """What is handed on now, what waits and why, what was not read, what one level more would do."""
    records = (
        _record("billing-api"),
        _record(
            "orders-web",
            state=IncidentState.proposed,
            why="#7 is open",
            pull_request="https://forge.test/acme/orders-web/pull/7",
            verdict="code_fix",
            cost=0.42,
        ),
        _record("old-api", state=IncidentState.ended),
    )
    findings = (
        make_finding("orders-web", severity=Severity.warning),
        make_finding("billing-api"),
    )
    text = _render(
        findings, records, handed_on=[records[0].work_id], unknown={"mailer": "no samples"}
    )
    assert text == snapshot("""\
# 2 of 8 services in trouble, 1 not read

*2026-03-02 14:00:00 to 14:30:00 UTC*

| service | since | what is done | verdict | pull request | why |
| --- | --- | --- | --- | --- | --- |
| billing-api | 03-02 14:30 | **handed on now** | – | – | – |
| orders-web | 03-02 14:30 | has a pull request | code_fix | [#7](https://forge.test/acme/orders-web/pull/7) | \\#&#8203;7 is open |

One level more: autonomy `approve` would ask a person about each plan that policy allows, and then start an agent.

- ✖ **billing-api** http_5xx: 5xx 6.2 % over 30 min (threshold 5.0 %), 1,240 requests, since 14:05 UTC
- ⚠ **orders-web** http_5xx: 5xx 6.2 % over 30 min (threshold 5.0 %), 1,240 requests, since 14:05 UTC

**Not read** (neither sick nor healthy):

- mailer: no samples

Cost of the sessions so far: $0.42.
""")


def test_a_quiet_tick_is_one_line() -> None:
    """Nothing that has to be read twice."""
    assert _render() == snapshot("""\
# All 8 services that were read are within their thresholds

*2026-03-02 14:00:00 to 14:30:00 UTC*
""")


def test_a_service_that_was_not_read_is_not_counted_as_healthy() -> None:
    """The headline says so."""
    assert "All 7 services that were read" in _render(unknown={"mailer": "a hang"})
