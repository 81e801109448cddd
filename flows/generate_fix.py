"""From evidence to a draft pull request, for one repository."""

from __future__ import annotations

from prefect import State, flow

from autofix.models import ServiceContext, Skipped
from autofix.parameters import Autonomy, Caps
from tasks.agent import clean_up
from tasks.change import find_existing, make_change, publish
from tasks.fix import one_at_a_time, prepare_fix
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
    contexts: list[ServiceContext],
    architecture: str,
    autonomy: Autonomy = Autonomy.pull_request,
    caps: Caps = Caps(),
) -> State[None]:
    """Plan, policy, agent, gate, push, draft pull request; each stop says why.

    Args:
        repository: ``owner/name``.
        contexts: its affected services with evidence and verdict.
        architecture: markdown of what runs around them.
        autonomy: `plan` stops before the agent, `report` before the model.
        caps: limits of a run.

    Returns:
        A completed state whose message says what came of it.
    """
    fix = prepare_fix(repository, contexts)
    if autonomy is Autonomy.report:
        return report_stop(fix, "autonomy is `report`; the next level would write a plan")
    with one_at_a_time(repository):
        if autonomy is Autonomy.pull_request and (existing := find_existing(fix, caps)):
            return report_stop(fix, existing.reason, existing.pull_request)
        plan = write_plan(repository, contexts, architecture, caps)
        policy = check_plan(repository, plan, contexts, caps)
        report_plan(fix, plan, policy, contexts)
        if not policy.allowed:
            return report_stop(fix, "; ".join(policy.reasons))
        if autonomy is Autonomy.plan:
            return report_stop(fix, "autonomy is `plan`; the next level would start an agent")
        done = make_change(fix, plan, contexts, architecture, caps)
        if isinstance(done, Skipped):
            return report_stop(fix, done.reason)
        report_change(fix, done)
        if not done.judged.allowed:
            return report_refusal(fix, done.judged)
        pull_request = publish(fix, plan, contexts, done)
        clean_up(fix, done.worked)
        return report_pull_request(fix, pull_request)
