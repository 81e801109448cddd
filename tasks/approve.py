"""A person's word on a plan: the run is suspended with a form until somebody answers it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Literal

from prefect import State
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.states import Completed
from pydantic import Field, create_model

from autofix.change.markdown import code
from autofix.errors import PolicyViolation
from autofix.models import PlanResult, ServiceContext
from autofix.plan.drawing import draw_charts
from autofix.plan.policy import allowed_places, find_stray
from autofix.plan.render import render_plan
from autofix.redact import cut
from tasks.artifacts import post_markdown
from tasks.dispatch import ALLOWED_LABEL, declined_label, tell_monitor
from tasks.fix import Fix
from tasks.guard import door

WAIT = timedelta(days=14)
"""How long a form waits; then the run fails, and with it this attempt."""
ASKED = 5
"""How often a form with folders that cannot be allowed is shown again."""
_REASON_CAP = 300
_PLAN_CAP = 60_000
_ALLOWED = Field(
    title="What may change",
    description="Folders, files or patterns below the root of the repository, one an item; `.` is "
    "all of it. As it stands: the affected services' own",
)


class Approval(RunInput):
    """The form, and what a person answered."""

    decision: Literal["approve", "decline"] = Field(
        title="Decision",
        description="approve: an agent starts on this plan, and a draft pull request follows. "
        "decline: nothing is proposed about this trouble for 14 days, unless another commit is "
        "deployed or a new critical signal joins",
    )
    reason: Annotated[str, Field(max_length=2_000)] = Field(
        default="", title="Reason", description="Of a decline; it is remembered"
    )
    allowed: list[str] = Field(default_factory=list)


def ask_for_approval(
    fix: Fix,
    plan: PlanResult,
    contexts: Sequence[ServiceContext],
    *,
    suspend: Callable[..., Approval] = suspend_flow_run,
) -> Approval:
    """What a person says to the plan; until then the run is suspended and holds no process.

    Answered forms are found again by their keys, whatever died in between.

    Raises:
        PolicyViolation: what was allowed lies outside the repository, again and again.
    """
    complaint = ""
    for time in range(ASKED):
        text = complaint + render_plan(plan, (), contexts)
        answer = suspend(
            wait_for_input=_form(door(cut(text, _PLAN_CAP)), _places(contexts)),
            timeout=int(WAIT.total_seconds()),
            key=f"plan-{fix.fix_id}-{time}",
        )
        stray = find_stray(answer.allowed)
        if answer.decision == "decline" or stray is None:
            return answer
        complaint = f"**{code(stray)} is not below the root of the repository.**\n\n"
    raise PolicyViolation(f"{stray!r} was allowed {ASKED} times and is not below the repository")


def bound_fix(fix: Fix, answer: Approval, contexts: Sequence[ServiceContext]) -> Fix:
    """The fix with what a person allowed, where that is not what it had anyway."""
    allowed = tuple(dict.fromkeys(place.strip() for place in answer.allowed if place.strip()))
    if not allowed or set(allowed) == set(_places(contexts)):
        return fix
    tell_monitor({ALLOWED_LABEL: json.dumps(allowed)})  # an answer on its pull request reads it
    return fix.model_copy(update={"allowed": allowed})


def report_decline(fix: Fix, answer: Approval) -> State[None]:
    """End a run whose plan a person declined; the monitor remembers it like a close."""
    reason = cut(" ".join(door(answer.reason).split()), _REASON_CAP) or "no reason was given"
    tell_monitor({declined_label(work_id): reason for work_id in fix.work_ids})
    text = f"a person declined the plan: {reason}"
    post_markdown(f"fix-{fix.fix_id}", f"**{fix.repository}**: {text}", "Declined")
    return Completed(name="Declined", message=text)


def _places(contexts: Sequence[ServiceContext]) -> list[str]:
    return [place or "." for place in allowed_places(contexts)]


def _form(description: str, places: Sequence[str]) -> type[Approval]:
    """The form of one plan: its text, and the folders that are allowed as it stands."""
    field = Field(default=list(places), title=_ALLOWED.title, description=_ALLOWED.description)
    form = create_model("Approval", allowed=(list[str], field), __base__=Approval)
    return form.with_initial_data(description=draw_charts(description))
