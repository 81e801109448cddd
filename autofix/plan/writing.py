"""A plan that can be held against the evidence: asked for, sent back once, then given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autofix.errors import ModelError
from autofix.models import FixPlan, PlanResult, ServiceContext
from autofix.parameters import Caps
from autofix.plan.planner import Answer, Planner
from autofix.plan.policy import find_faults
from autofix.plan.prompt import FIXED_TOKENS, PROMPT_VERSION, render_objections
from autofix.plan.spending import Prices, Spent, require_plan
from autofix.tokens import estimate_tokens

Reserve = Callable[[Spent], None]
"""Told what the next call costs at worst; raises BudgetExceeded when that is too much."""
Settle = Callable[[Spent, Spent], None]
"""Told what was reserved and what the call did cost."""


def write_plan(
    planner: Planner,
    prompt: str,
    contexts: Sequence[ServiceContext],
    caps: Caps,
    *,
    prices: Prices = Prices(),  # noqa: B008 - frozen
    reserve: Reserve = lambda _: None,
    settle: Settle = lambda _reserved, _real: None,
) -> PlanResult:
    """One model call, and a second one when the first answer cannot be carried out.

    An answer that names what does not exist, leaves its service's folders or has no cause is sent
    back once with the reasons. After that it is ``insufficient_evidence``: the model may lower what
    code allows, and never raise it.

    Args:
        planner: asks the model.
        prompt: the rendered evidence.
        contexts: what the answer is held against.
        caps: of one plan.
        prices: to count money with.
        reserve: asked before each call.
        settle: told after each call.

    Raises:
        BudgetExceeded: a cap would be broken; its name says which.
        ModelError: the model cannot be asked.
    """
    answers: list[Answer] = []
    objections: list[str] = []
    spent = Spent()
    for _ in range(2):
        again = render_objections(objections) if objections else ""
        sent = FIXED_TOKENS + sum(
            estimate_tokens(text) for text in (prompt, *_previous(answers), again)
        )
        worst = prices.spent(sent, caps.plan_output_tokens)
        require_plan(spent, worst, caps)
        reserve(worst)
        try:
            answer = planner.ask(prompt, _previous(answers), again)
        except ModelError:
            settle(worst, Spent())
            raise
        real = prices.spent(answer.input_tokens, answer.output_tokens)
        settle(worst, real)
        spent += real
        answers.append(answer)
        faults = find_faults(answer.plan, contexts) if answer.plan else [answer.problem]
        if not faults:
            break
        objections = faults
    plan = answers[-1].plan if not faults else give_up(answers, faults)
    assert plan is not None  # noqa: S101 - without faults there is one
    return _result(plan, answers, objections if len(answers) > 1 else [], prices)


def give_up(answers: Sequence[Answer], faults: Sequence[str]) -> FixPlan:
    """What is left of answers that could not be held against the evidence."""
    last = next((a.plan for a in reversed(answers) if a.plan), None)
    return FixPlan(
        answer="insufficient_evidence",
        title=last.title if last else "No plan",
        summary=last.summary if last else "The model gave no plan.",
        affected_services=last.affected_services if last else [],
        root_causes=[],
        steps=[],
        missing="two plans could not be held against the evidence: " + "; ".join(faults),
    )


def _previous(answers: Sequence[Answer]) -> tuple[str, ...]:
    return tuple(answer.text for answer in answers)


def _result(
    plan: FixPlan, answers: Sequence[Answer], objections: Sequence[str], prices: Prices
) -> PlanResult:
    tokens = sum(a.input_tokens for a in answers), sum(a.output_tokens for a in answers)
    return PlanResult(
        plan=plan,
        model=answers[-1].model,
        prompt_version=PROMPT_VERSION,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        calls=len(answers),
        cost=prices.of(*tokens),
        objections=tuple(objections),
    )
