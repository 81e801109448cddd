from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from autofix.detect.turns import UPSTREAM_LOOK, PullFacts, Sick, Turn, take_turn
from autofix.models import (
    Finding,
    IncidentRecord,
    IncidentState,
    Severity,
    Signal,
    VerdictKind,
)
from autofix.parameters import Autonomy
from tests.conftest import NOW

COMMIT = "c" * 40


def _record(**fields: Any) -> IncidentRecord:
    defaults: dict[str, Any] = {
        "fingerprint": "0123456789",
        "episode": 1,
        "attempt": 1,
        "environment_id": "env-1",
        "service_id": "svc-billing-api",
        "service": "billing-api",
        "first_signal": Signal.http_5xx,
        "deployed_commit": COMMIT,
        "onset": NOW,
        "opened_at": NOW,
        "last_seen": NOW,
        "state": IncidentState.handed_on,
        "handed_on_at_autonomy": "pull_request",
        "handed_on_signals": ((Signal.http_5xx, Severity.warning),),
        "handed_on_commit": COMMIT,
    }
    return IncidentRecord(**(defaults | fields))


@pytest.fixture
def sick(make_finding: Callable[..., Finding]) -> Callable[..., Sick]:
    def make(*signals: tuple[Signal, Severity], **fields: Any) -> Sick:
        found = signals or ((Signal.http_5xx, Severity.warning),)
        defaults: dict[str, Any] = {
            "now": NOW,
            "findings": [make_finding(signal=s, severity=severity) for s, severity in found],
            "commit": COMMIT,
            "autonomy": Autonomy.pull_request,
            "turn": Turn(at=NOW),
        }
        return Sick(**(defaults | fields))

    return make


def _pull(**fields: Any) -> PullFacts:
    defaults: dict[str, Any] = {
        "number": 7,
        "url": "https://forge.test/acme/x/pull/7",
        "state": "open",
        "work_ids": ("0123456789-e1-a1",),
        "services": ("svc-billing-api",),
    }
    return PullFacts(**(defaults | fields))


def test_an_open_pull_request_stands_in_the_way_of_force(sick: Callable[..., Sick]) -> None:
    """At most one open pull request a service, whoever asks."""
    record, due = take_turn(_record(), sick(pulls=[_pull()], force=True))
    assert not due
    assert (record.state, record.why) == (IncidentState.proposed, "#7 is open")


def test_a_muted_record_says_so(sick: Callable[..., Sick]) -> None:
    """Nothing else is changed about it."""
    record, due = take_turn(_record(muted=True), sick(force=True))
    assert not due
    assert (record.state, record.why) == (IncidentState.handed_on, "muted by a person")


@pytest.mark.parametrize(
    ("signals", "commit", "why"),
    [
        (
            [(Signal.http_5xx, Severity.warning), (Signal.latency, Severity.warning)],
            COMMIT,
            "latency joined",
        ),
        ([(Signal.http_5xx, Severity.critical)], COMMIT, "http_5xx became critical"),
        ([(Signal.http_5xx, Severity.warning)], "d" * 40, "another commit was deployed"),
    ],
)
@pytest.mark.parametrize("verdict", [v for v in VerdictKind if v is not VerdictKind.code_fix])
def test_a_reported_verdict_is_settled_anew_when_its_ground_changed(
    sick: Callable[..., Sick],
    verdict: VerdictKind,
    signals: list[tuple[Signal, Severity]],
    commit: str,
    why: str,
) -> None:
    """A signal joined or rose, or another commit was deployed: the next attempt."""
    turn = Turn(verdict=verdict, at=NOW)
    record, due = take_turn(_record(), sick(*signals, commit=commit, turn=turn))
    assert due
    assert record.attempt == 2
    assert why in record.why


def test_a_reported_verdict_stands_while_nothing_changed(sick: Callable[..., Sick]) -> None:
    """Days of the same trouble ask nobody again, but for a provider's."""
    turn = Turn(verdict=VerdictKind.insufficient_evidence, at=NOW, reason="no cause is shown")
    record, due = take_turn(_record(), sick(turn=turn, now=NOW + timedelta(days=3)))
    assert not due
    assert (record.verdict, record.why) == ("insufficient_evidence", "no cause is shown")


def test_a_providers_trouble_is_looked_at_again_now_and_then(sick: Callable[..., Sick]) -> None:
    """Its end is nothing that our own signals show at once."""
    turn = Turn(verdict=VerdictKind.wait_upstream, at=NOW)
    early = sick(turn=turn, now=NOW + UPSTREAM_LOOK - timedelta(minutes=1))
    assert not take_turn(_record(), early)[1]
    assert take_turn(_record(), sick(turn=turn, now=NOW + UPSTREAM_LOOK))[1]


def test_a_fix_in_code_under_way_is_left_alone_whatever_joins(sick: Callable[..., Sick]) -> None:
    """Signals that join and deployments change nothing while its run has the turn."""
    turn = Turn(verdict=VerdictKind.code_fix, at=NOW)
    joined = [(Signal.http_5xx, Severity.critical), (Signal.memory, Severity.critical)]
    record, due = take_turn(_record(), sick(*joined, commit="d" * 40, turn=turn))
    assert not due
    assert (record.attempt, record.verdict) == (1, "code_fix")


def test_a_declined_plan_is_a_no_like_a_close(sick: Callable[..., Sick]) -> None:
    """Nothing for 14 days, whatever stays the same; then a new attempt that names it."""
    told = Turn(at=NOW, declined="We rewrite it.")
    record, due = take_turn(_record(), sick(turn=told))
    assert not due
    assert record.state is IncidentState.declined
    assert record.why.startswith("a person declined the plan: We rewrite it.")
    for days in (0, 7, 13):
        record, due = take_turn(record, sick(turn=told, now=NOW + timedelta(days=days)))
        assert (record.state, due) == (IncidentState.declined, False)
    record, due = take_turn(record, sick(turn=told, now=NOW + timedelta(days=14)))
    assert due
    assert (record.attempt, record.declined) == (2, None)
    assert record.earlier == ("a person declined a plan: We rewrite it.",)


def test_a_new_critical_signal_or_commit_ends_the_no_to_a_plan(sick: Callable[..., Sick]) -> None:
    """And the attempt that follows is not taken back when the signal is gone again."""
    told = Turn(at=NOW, declined="No.")
    record, _ = take_turn(_record(), sick(turn=told))
    assert take_turn(record, sick(turn=told, commit="d" * 40))[1]
    more = ((Signal.http_5xx, Severity.warning), (Signal.latency, Severity.critical))
    again, due = take_turn(record, sick(*more, turn=told))
    assert due
    handed_on = again.model_copy(update={"state": IncidentState.handed_on})
    later, _ = take_turn(handed_on, sick(turn=Turn(at=NOW)))
    assert later.state is IncidentState.handed_on


def test_the_no_to_a_plan_outlives_its_episode(sick: Callable[..., Sick]) -> None:
    """A new record of the same trouble, with nothing changed, is still a no."""
    record, _ = take_turn(_record(), sick(turn=Turn(at=NOW, declined="No.")))
    fresh = _record(episode=2, state=IncidentState.open, declined=record.declined)
    assert take_turn(fresh, sick(turn=None))[1] is False
    fresh = _record(episode=2, state=IncidentState.open, declined=record.declined)
    assert take_turn(fresh, sick(turn=None, now=NOW + timedelta(days=15)))[1]


def test_a_no_to_a_plan_that_was_over_is_not_said_again(sick: Callable[..., Sick]) -> None:
    """A new episode began with one more critical signal; when that is gone its run still works."""
    old, _ = take_turn(_record(), sick(turn=Turn(at=NOW, declined="No.")))
    fresh = _record(episode=2, state=IncidentState.open, declined=old.declined)
    more = ((Signal.http_5xx, Severity.warning), (Signal.latency, Severity.critical))
    taken, due = take_turn(fresh, sick(*more, turn=None))
    assert due
    handed_on = taken.model_copy(update={"state": IncidentState.handed_on})
    later, _ = take_turn(handed_on, sick(turn=Turn(at=NOW)))
    assert later.state is IncidentState.handed_on


def test_approve_stands_between_plan_and_pull_request(sick: Callable[..., Sick]) -> None:
    """Raised from plan, an incident is due again; lowered to it, it is not."""
    handed = _record(handed_on_at_autonomy="plan")
    assert take_turn(handed, sick(autonomy=Autonomy.approve))[1]
    handed = _record(handed_on_at_autonomy="pull_request")
    assert not take_turn(handed, sick(autonomy=Autonomy.approve))[1]
