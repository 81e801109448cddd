from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from autofix.models import Deployment, Finding, Outcome, Severity, Signal
from autofix.verify.compare import compare
from autofix.verify.outcome import Judgement, Sight, combine, judge_outcome
from tests.unit.verify.simulate import SPANS, finding, frame, http

MIN_REQUESTS = 100


def _sight(
    during: dict[str, float],
    after: dict[str, float],
    found_after: tuple[Finding, ...] = (),
    **more: Any,
) -> Sight:
    rng = np.random.default_rng(7)
    rows = http(rng, SPANS.during, **during), http(rng, SPANS.after, **after)
    requests = [int(sum(v for _, _, name, v in part if name.endswith("XX"))) for part in rows]
    found = (finding(Signal.http_5xx),)
    return Sight(
        service="billing-api",
        comparisons=compare(frame(*rows), found, SPANS, MIN_REQUESTS),
        found_during=more.get("found_during", found),
        found_after=found_after,
        requests_during=requests[0],
        requests_after=requests[1],
        unknown=more.get("unknown"),
    )


def _judge(sight: Sight, others: tuple[Deployment, ...] = ()) -> Judgement:
    return judge_outcome(sight, others, SPANS.after, MIN_REQUESTS)


def test_errors_that_are_gone_under_the_same_traffic_are_a_recovery() -> None:
    """The reason holds the numbers of both sides with their uncertainty."""
    judged = _judge(_sight({"errors": 0.1}, {"errors": 0.0}))
    assert judged.outcome is Outcome.recovered
    assert "5xx" in judged.reasons[0]
    assert "before the fix, 0 % (0…" in judged.reasons[0]


def test_a_signal_that_is_still_found_is_unchanged() -> None:
    """The detector decides whether it is still trouble."""
    still = (finding(Signal.http_5xx),)
    judged = _judge(_sight({"errors": 0.1}, {"errors": 0.1}, still))
    assert judged.outcome is Outcome.unchanged


def test_better_but_still_in_trouble_is_said_so() -> None:
    """Half the errors are not a recovery."""
    still = (finding(Signal.http_5xx),)
    judged = _judge(_sight({"errors": 0.5}, {"errors": 0.1}, still))
    assert judged.outcome is Outcome.unchanged
    assert "better, but still in trouble" in judged.reasons[0]


def test_more_errors_than_before_are_worse() -> None:
    """Surely and materially more."""
    still = (finding(Signal.http_5xx),)
    judged = _judge(_sight({"errors": 0.1}, {"errors": 0.5}, still))
    assert judged.outcome is Outcome.worse


def test_a_new_critical_signal_is_worse() -> None:
    """The errors are gone and the latency is new: the fix did harm."""
    new = (finding(Signal.latency),)
    assert _judge(_sight({"errors": 0.1}, {"errors": 0.0}, new)).outcome is Outcome.worse


def test_a_new_warning_is_no_harm() -> None:
    """It is for the next tick of the monitor."""
    new = (finding(Signal.latency, severity=Severity.warning),)
    assert _judge(_sight({"errors": 0.1}, {"errors": 0.0}, new)).outcome is Outcome.recovered


def test_more_errors_under_much_more_traffic_are_not_blamed_on_the_fix() -> None:
    """Five times the requests: still in trouble, but nobody can say worse."""
    still = (finding(Signal.http_5xx),)
    sight = _sight({"errors": 0.1, "rate": 10}, {"errors": 0.5, "rate": 50}, still)
    assert _judge(sight).outcome is Outcome.unchanged


@pytest.mark.parametrize(
    ("sight", "says"),
    [
        (_sight({"errors": 0.1}, {"errors": 0.0, "rate": 1}), "fewer than the 100"),
        (_sight({"errors": 0.1, "rate": 1}, {"errors": 0.0}), "fewer than the 100"),
        (
            _sight({"errors": 0.1, "rate": 40}, {"errors": 0.0, "rate": 10}),
            "of the requests of before",
        ),
        (_sight({"errors": 0.1}, {"errors": 0.0}, found_during=()), "over before the fix was live"),
        (_sight({"errors": 0.012}, {"errors": 0.009}), "not a sure change"),
        (_sight({"errors": 0.1}, {"errors": 0.0}, unknown="a hang"), "could not be read: a hang"),
    ],
)
def test_what_cannot_be_told_is_inconclusive(sight: Sight, says: str) -> None:
    """Too few requests on a side, less traffic, no trouble left, a small change, no answer."""
    judged = _judge(sight)
    assert judged.outcome is Outcome.inconclusive
    assert any(says in reason for reason in judged.reasons), judged.reasons


def test_another_deployment_in_the_window_is_inconclusive() -> None:
    """Whose effect it was cannot be told."""
    other = Deployment(
        id="d2",
        service_id="svc",
        status="SUCCESS",
        created_at=SPANS.after.start + timedelta(minutes=3),
        commit="3f2a1c" + "0" * 34,
    )
    judged = _judge(_sight({"errors": 0.1}, {"errors": 0.0}), (other,))
    assert judged.outcome is Outcome.inconclusive
    assert "3f2a1c0" in judged.reasons[0]


def test_no_recovery_is_claimed_where_nothing_changed() -> None:
    """A service at its threshold, whose detector happens to be silent afterwards: 5 % at most."""
    claimed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rows = (
            http(rng, SPANS.during, errors=0.012, rho=0.6),
            http(rng, SPANS.after, errors=0.012, rho=0.6),
        )
        found = (finding(Signal.http_5xx),)
        sight = _sight({}, {}).model_copy(
            update={"comparisons": compare(frame(*rows), found, SPANS, MIN_REQUESTS)}
        )
        claimed += _judge(sight).outcome is Outcome.recovered
    assert claimed <= 3


def test_a_fix_of_two_services_recovers_only_when_both_do() -> None:
    """One that did not decides, and one that got worse before all."""
    good = Judgement(outcome=Outcome.recovered, reasons=("a",))
    same = Judgement(outcome=Outcome.unchanged, reasons=("b",))
    bad = Judgement(outcome=Outcome.worse, reasons=("c",))
    assert combine([good, good]).outcome is Outcome.recovered
    assert combine([good, same]).reasons == ("b",)
    assert combine([good, same, bad]).outcome is Outcome.worse
    assert combine([]).outcome is Outcome.inconclusive
