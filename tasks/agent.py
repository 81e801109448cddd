"""Shells around the agent: its workspace, its session, its commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from threading import Thread

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from autofix.change import gate
from autofix.change.job import FixJob, SessionLimits
from autofix.change.markdown import plain
from autofix.change.opencode import OpencodeClient
from autofix.change.pr_body import render_message
from autofix.change.prompt import render_prompt
from autofix.change.retry import add_turn, rest_of, retry_job
from autofix.change.supervisor import supervise
from autofix.change.transfer import Change
from autofix.change.workspace import (
    Workspace,
    fetch_bundle,
    prepare_workspace,
    remove_workspace,
)
from autofix.errors import AutofixError, OpencodeError, PolicyViolation
from autofix.models import (
    GateResult,
    PlanResult,
    ServiceContext,
    SessionEnd,
    SessionResult,
)
from autofix.parameters import Caps
from autofix.plan.policy import allowed_places
from autofix.redact import cut, redact_model, redactor
from autofix.redact.fence import fenced
from autofix.report import render_context
from autofix.settings import load_settings
from tasks.fix import Commits, Fix, WorkedOn, fix_key
from tasks.guard import guarded
from tasks.options import LONG, PACKED, SESSION
from tasks.plan import fence_nonce
from tasks.report_fix import follow_session, report_transcript

HEALTH_SECONDS = 20
"""How long an OpenCode server may take to answer."""


@task(
    name="prepare workspace",
    task_run_name="clone {fix.repository} for the agent",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=fix_key("workspace"),
    **LONG,
)
@guarded
def prepare(fix: Fix) -> Workspace:
    """The agent's clone; its base is remembered here, whatever the server forgets."""
    settings = load_settings()
    with OpencodeClient(settings) as client:
        client.wait_until_healthy(HEALTH_SECONDS)
        return _prepare(client, fix, base=None)


def _prepare(client: OpencodeClient, fix: Fix, base: str | None) -> Workspace:
    return prepare_workspace(
        client,
        load_settings(),
        repository=fix.repository,
        fix_id=fix.fix_id,
        base_branch=fix.base_branch,
        base=base,
    )


@task(
    name="work on plan",
    task_run_name="agent works on {fix.repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=fix_key("session"),
    **SESSION,
)
@guarded
def work_on_plan(
    fix: Fix,
    plan: PlanResult,
    contexts: list[ServiceContext],
    architecture: str,
    caps: Caps,
    workspace: Workspace,
) -> WorkedOn:
    """One OpenCode session on a clone of its own, watched to its end."""
    settings = load_settings()
    # the gate needs them in the end; compiled while the agent works
    Thread(target=gate.load_rules, daemon=True).start()
    with OpencodeClient(settings) as client:
        client.wait_until_healthy(HEALTH_SECONDS)
        job = FixJob(
            workspace=_prepare(client, fix, base=workspace.base),
            title=plan.plan.title,
            prompt=fix_prompt(fix, plan, contexts, architecture),
            work_ids=fix.work_ids,
        )
        session = watch_session(client, fix, job, limits_of(caps))
    return WorkedOn(job=job, session=redact_model(session, redactor(settings)))


def watch_session(
    client: OpencodeClient, fix: Fix, job: FixJob, limits: SessionLimits
) -> SessionResult:
    """The session to its end, with what people see of it; OpencodeError when it was lost."""
    with follow_session(fix.fix_id, load_settings(), job) as tell:
        session = supervise(client, job, limits, on_progress=tell)
    if session.end is SessionEnd.lost:
        raise OpencodeError(f"the session was lost: {session.reason}", retryable=True)
    report_transcript(fix, client.fetch_messages(job.session_id, job.workspace.directory))
    return session


@task(
    name="answer denial",
    task_run_name="agent answers the gate in {fix.repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=fix_key("answer"),
    **SESSION,
)
@guarded
def answer_denial(fix: Fix, worked: WorkedOn, judged: GateResult, caps: Caps) -> WorkedOn:
    """The same session once more, with the reasons; within what is left of its limits."""
    settings = load_settings()
    job = retry_job(worked.job, judged)
    with OpencodeClient(settings) as client:
        client.wait_until_healthy(HEALTH_SECONDS)
        session = watch_session(client, fix, job, rest_of(limits_of(caps), worked.session))
    added = add_turn(worked.session, redact_model(session, redactor(settings)))
    return WorkedOn(job=worked.job, session=added)


@task(
    name="collect commits",
    task_run_name="collect commits of {fix.repository}",
    persist_result=True,
    result_serializer=PACKED,
    cache_key_fn=fix_key("commits"),
    **LONG,
)
@guarded
def collect_commits(
    fix: Fix,
    plan: PlanResult,
    worked: WorkedOn,
    turn: str,  # noqa: ARG001 - part of the key
) -> Commits:
    """The agent's commits as a git bundle; PolicyViolation when its session came to no end."""
    session = worked.session
    if session.end is not SessionEnd.completed or session.head is None:
        said = f" (it said: {cut(session.answer, 300)!r})" if session.answer else ""
        raise PolicyViolation(f"the agent's session ended as {session.end}: {session.reason}{said}")
    settings = load_settings()
    with OpencodeClient(settings) as client:
        bundle = fetch_bundle(client, settings, worked.job.workspace)
    return Commits(change=name_change(fix, plan, session.base), head=session.head, bundle=bundle)


def name_change(fix: Fix, plan: PlanResult, base: str) -> Change:
    """What is published and under which words."""
    title = plain(redactor(load_settings())(plan.plan.title), cap=100)
    return Change(
        repository=fix.repository,
        base_branch=fix.base_branch,
        branch=fix.branch,
        base=base,
        title=title,
        message=render_message(title, plan.plan, fix.work_ids),
    )


@task(
    name="clean up",
    task_run_name="remove the agent's clone of {fix.repository}",
    cache_policy=NO_CACHE,
    timeout_seconds=300,
)
@guarded
def clean_up(fix: Fix, worked: WorkedOn) -> None:  # noqa: ARG001 - names the run
    """Remove the agent's folder; one that stays is removed by a later fix."""
    try:
        with OpencodeClient(load_settings()) as client:
            remove_workspace(client, worked.job.workspace)
    except AutofixError as error:
        get_run_logger().warning("the agent's folder stays for now: %s", error)


def limits_of(caps: Caps) -> SessionLimits:
    """The caps of one session."""
    return SessionLimits(
        length=timedelta(minutes=caps.session_minutes),
        steps=caps.session_steps,
        cost=caps.session_cost,
    )


def fix_prompt(
    fix: Fix, plan: PlanResult, contexts: Sequence[ServiceContext], architecture: str
) -> str:
    """What the agent is asked to do about a plan."""
    settings = load_settings()
    door = redactor(settings)
    nonce = fence_nonce(settings.secret_values(), contexts)
    title = plain(door(plan.plan.title), cap=100).replace("'", "")
    publish = {"branch": fix.branch, "base": fix.base_branch, "title": title}
    return render_prompt(
        plan.plan,
        fenced(door(architecture), nonce),
        "\n\n".join(render_context(context, nonce) for context in contexts),
        repository=fix.repository,
        service_folders=fix.allowed or allowed_places(contexts),
        publish=publish if settings.autofix_publisher == "agent" else None,
    )
