"""A plan is asked for, sent back once with the reasons, then given up; within its caps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from autofix.errors import BudgetExceeded, ModelError
from autofix.models import FixPlan
from autofix.parameters import Caps
from autofix.plan.planner import Answer
from autofix.plan.policy import judge_plan
from autofix.plan.prompt import FIXED_TOKENS
from autofix.plan.spending import Prices, Spent, require_day
from autofix.plan.writing import write_plan
from tests.unit.plan.test_policy import make_plan


class ScriptedPlanner:
    """Gives the answers in their order, and keeps what it was asked."""

    def __init__(self, *answers: FixPlan | str | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def ask(self, prompt: str, previous: Sequence[str] = (), again: str = "") -> Answer:
        self.asked.append((tuple(previous), again))
        said = self._answers.pop(0)
        if isinstance(said, Exception):
            raise said
        is_plan = isinstance(said, FixPlan)
        return Answer(
            plan=said if is_plan else None,
            text=said.model_dump_json() if is_plan else "prose",
            model="scripted",
            input_tokens=1_000,
            output_tokens=200,
            problem="" if is_plan else str(said),
        )


def wrong(**cause: Any) -> FixPlan:
    plan = make_plan()
    return make_plan(root_causes=[plan.root_causes[0].model_copy(update=cause)])


def test_a_sound_plan_is_asked_for_once(make_context: Any) -> None:
    """One call, its tokens and its cost."""
    planner = ScriptedPlanner(make_plan())
    result = write_plan(planner, "p", [make_context()], Caps(), prices=Prices(2.0, 10.0))
    assert planner.asked == [((), "")]
    assert (result.calls, result.input_tokens, result.output_tokens) == (1, 1_000, 200)
    assert result.cost == pytest.approx(0.004)
    assert result.objections == ()


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (wrong(evidence=["E9"]), "cites evidence that does not exist: E9"),
        (wrong(file="../etc/passwd"), "../etc/passwd is outside"),
        (wrong(service="other"), "other is not one of the affected services"),
        (make_plan(root_causes=[]), "names no root cause"),
        (make_plan(steps=[]), "has no steps"),
        ("the answer is not a plan: no tool call in it", "the answer is not a plan"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_sent_back_once_with_the_reason(
    make_context: Any, first: FixPlan | str, reason: str
) -> None:
    """The second answer counts; the model saw its first one and why it was not enough."""
    planner = ScriptedPlanner(first, make_plan())
    result = write_plan(planner, "p", [make_context()], Caps())
    assert result.plan == make_plan()
    assert (result.calls, result.input_tokens) == (2, 2_000)
    (_, (previous, again)) = planner.asked
    assert previous == (first.model_dump_json() if isinstance(first, FixPlan) else "prose",)
    assert reason in again
    assert reason in result.objections[0]


@pytest.mark.parametrize("second", [wrong(evidence=["E8"]), "no plan again"])
def test_twice_wrong_is_no_evidence(make_context: Any, second: FixPlan | str) -> None:
    """The model cannot raise what code allows by insisting."""
    planner = ScriptedPlanner(wrong(evidence=["E9"]), second)
    result = write_plan(planner, "p", [make_context()], Caps())
    assert result.plan.answer == "insufficient_evidence"
    assert result.plan.root_causes == []
    assert "could not be held against the evidence" in result.plan.missing
    policy = judge_plan(result.plan, [make_context()], minimum_confidence=0.5)
    assert not policy.allowed


def test_a_model_that_does_not_know_is_believed(make_context: Any) -> None:
    """It is not asked again to find something."""
    plan = make_plan(answer="insufficient_evidence", root_causes=[], steps=[], missing="a trace")
    planner = ScriptedPlanner(plan)
    assert write_plan(planner, "p", [make_context()], Caps()).plan == plan
    assert len(planner.asked) == 1


def test_low_confidence_is_not_sent_back(make_context: Any) -> None:
    """It is honest, and stops at `plan` by the policy."""
    planner = ScriptedPlanner(wrong(confidence=0.2))
    result = write_plan(planner, "p", [make_context()], Caps())
    assert result.calls == 1
    assert not judge_plan(result.plan, [make_context()], minimum_confidence=0.5).allowed


@pytest.mark.parametrize(
    ("caps", "prices", "cap"),
    [
        ({"plan_tokens": 5_000}, Prices(), "plan_tokens"),
        ({"plan_cost": 0.01}, Prices(2.0, 10.0), "plan_cost"),
    ],
)
def test_a_cap_is_checked_before_the_call_that_could_break_it(
    make_context: Any, caps: dict[str, Any], prices: Prices, cap: str
) -> None:
    """Named, and nothing is asked."""
    planner = ScriptedPlanner(make_plan())
    with pytest.raises(BudgetExceeded) as caught:
        write_plan(planner, "p", [make_context()], Caps(**caps), prices=prices)
    assert caught.value.cap == cap
    assert planner.asked == []


def test_the_second_call_counts_against_the_same_cap(make_context: Any) -> None:
    """What the first one took is gone."""
    planner = ScriptedPlanner(wrong(evidence=["E9"]), make_plan())
    with pytest.raises(BudgetExceeded):
        write_plan(planner, "p", [make_context()], Caps(plan_tokens=FIXED_TOKENS + 17_000))
    assert len(planner.asked) == 1


def test_each_call_is_reserved_at_its_worst_and_settled_with_what_it_took(
    make_context: Any,
) -> None:
    """Also one that fails: it took nothing."""
    told: list[tuple[str, int]] = []

    def run(*answers: Any) -> None:
        told.clear()
        write_plan(
            ScriptedPlanner(*answers),
            "p",
            [make_context()],
            Caps(),
            reserve=lambda worst: told.append(("reserve", worst.tokens)),
            settle=lambda _, real: told.append(("settle", real.tokens)),
        )

    run(wrong(evidence=["E9"]), make_plan())
    assert [what for what, _ in told] == ["reserve", "settle"] * 2
    assert told[0][1] > 16_000
    assert [n for what, n in told if what == "settle"] == [1_200, 1_200]
    with pytest.raises(ModelError):
        run(ModelError("down", retryable=True))
    assert [n for what, n in told if what == "settle"] == [0]


@pytest.mark.parametrize(
    ("spent", "cap"),
    [
        (Spent(tokens=600_001), "plan_tokens_per_day"),
        (Spent(tokens=9, cost=10.01), "plan_cost_per_day"),
        (Spent(tokens=600_000, cost=10.0), None),
    ],
)
def test_a_days_caps_are_named(spent: Spent, cap: str | None) -> None:
    """Reaching one is allowed, going over it is not."""
    if cap is None:
        require_day(spent, Caps())
        return
    with pytest.raises(BudgetExceeded, match=cap) as caught:
        require_day(spent, Caps())
    assert caught.value.cap == cap


def test_without_prices_only_tokens_are_counted() -> None:
    """No number is made up."""
    assert Prices().of(1_000, 1_000) is None
    assert not Prices(input=1.0).are_known
    assert Prices().spent(10, 5) == Spent(tokens=15, cost=0.0)
