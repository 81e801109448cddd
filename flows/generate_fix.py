"""From evidence to a draft pull request, for one repository."""

from __future__ import annotations

from prefect import State, flow

from autofix.change.answer import FollowUp
from autofix.models import PlanResult, ServiceContext, Skipped
from autofix.parameters import Autonomy, Caps
from tasks.agent import clean_up
from tasks.answer import find_answer, load_made, report_answer, take_turn
from tasks.approve import ask_for_approval, bound_fix, report_decline
from tasks.change import find_existing, make_change, publish
from tasks.fix import Fix, one_at_a_time, prepare_fix
from tasks.naming import name_this_fix
from tasks.plan import check_plan, write_plan
from tasks.report_fix import (
    report_change,
    report_plan,
    report_pull_request,
    report_refusal,
    report_stop,
)


@flow(name="generate_fix", flow_run_name=name_this_fix, log_prints=True)
def generate_fix(
    repository: str,
    contexts: list[ServiceContext] | None = None,
    architecture: str = "",
    autonomy: Autonomy = Autonomy.pull_request,
    caps: Caps = Caps(),
    follow_up: FollowUp | None = None,
) -> State[None]:
    """Plan, policy, agent, gate, push, draft pull request; each stop says why.

    With a follow-up: one more turn of that agent on its open pull request.

    Args:
        repository: ``owner/name``.
        contexts: its affected services with evidence and verdict.
        architecture: markdown of what runs around them.
        autonomy: `plan` stops before the agent, `approve` asks a person first, `report` stops
            before the model.
        caps: limits of a run.
        follow_up: what checks or people said on the open pull request of an earlier run, from
            which all the rest is read.

    Returns:
        A completed state whose message says what came of it.
    """
    if follow_up is not None:
        return _answer(repository, follow_up)
    contexts = contexts or []
    fix = prepare_fix(repository, contexts)
    if autonomy is Autonomy.report:
        return report_stop(fix, "autonomy is `report`; the next level would write a plan")
    with one_at_a_time(repository):
        if autonomy.repairs and (existing := find_existing(fix, caps)):
            return report_stop(fix, existing.reason, existing.pull_request)
        plan = write_plan(repository, contexts, architecture, caps)
        policy = check_plan(repository, plan, contexts, caps)
        report_plan(fix, plan, policy, contexts)
        if not policy.allowed:
            return report_stop(fix, "; ".join(policy.reasons))
        if autonomy is Autonomy.plan:
            return report_stop(fix, "autonomy is `plan`; the next level would start an agent")
        if autonomy is Autonomy.approve:
            answer = ask_for_approval(fix, plan, contexts)
            if answer.decision == "decline":
                return report_decline(fix, answer)
            fix = bound_fix(fix, answer, contexts)
        return _change(fix, plan, contexts, architecture, caps)


def _change(
    fix: Fix, plan: PlanResult, contexts: list[ServiceContext], architecture: str, caps: Caps
) -> State[None]:
    """From a plan that may go on to the pull request."""
    done = make_change(fix, plan, contexts, architecture, caps)
    if isinstance(done, Skipped):
        return report_stop(fix, done.reason)
    report_change(fix, done)
    if not done.judged.allowed:
        return report_refusal(fix, done.judged)
    pull_request = publish(fix, plan, contexts, done)
    clean_up(fix, done.worked)
    return report_pull_request(fix, pull_request)


def _answer(repository: str, follow_up: FollowUp) -> State[None]:
    """The same names, plan and bounds as the first run; the turn is looked for before it is taken."""
    made = load_made(follow_up)
    fix = prepare_fix(repository, made.contexts).model_copy(update={"allowed": made.allowed})
    with one_at_a_time(repository):
        if settled := find_answer(fix, follow_up):
            return report_stop(fix, settled.reason, settled.pull_request)
        plan = write_plan(repository, made.contexts, made.architecture, made.caps)
        return report_answer(fix, follow_up, take_turn(fix, follow_up, plan, made))
