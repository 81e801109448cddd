"""Shells around `autofix.change`: from a plan to a draft pull request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from autofix.change import gate
from autofix.change.github import GithubClient
from autofix.change.markdown import plain
from autofix.change.memo import render_memo
from autofix.change.opencode import OpencodeClient
from autofix.change.pr_body import render_body, render_message
from autofix.change.prompt import render_prompt
from autofix.change.publish import find_existing_change, open_pull_request, require_allowed
from autofix.change.retry import PURPOSE, add_turn, rest_of, retry_job
from autofix.change.scope import build_options
from autofix.change.supervisor import FixJob, SessionLimits, supervise
from autofix.change.transfer import Change, import_bundle, push, settle
from autofix.change.workspace import fetch_bundle, prepare_workspace
from autofix.errors import PolicyViolation
from autofix.models import (
    GateResult,
    PlanResult,
    PullRequest,
    ServiceContext,
    SessionEnd,
    Skipped,
)
from autofix.parameters import Caps
from autofix.plan.policy import allowed_roots
from autofix.redact import cut, redact_model, redactor
from autofix.redact.fence import fenced
from autofix.report import render_context
from autofix.settings import load_settings
from tasks.fix import Commits, Done, Fix, WorkedOn
from tasks.guard import guarded
from tasks.options import REMOTE, make_key
from tasks.plan import fence_nonce
from tasks.report_fix import follow_session

HEALTH_SECONDS = 20
"""How long an OpenCode server may take to answer."""
FIRST = "fix"
"""The turn that works on the plan; `PURPOSE` is the one that answers a denial."""


def make_change(
    fix: Fix, plan: PlanResult, contexts: list[ServiceContext], architecture: str, caps: Caps
) -> Done | Skipped:
    """The agent's commits with the gate's verdict; a denial is answered by the agent once."""
    worked = work_on_plan(fix, plan, contexts, architecture, caps)
    if worked.session.end is SessionEnd.nothing_to_change:
        return Skipped(reason=_nothing(worked))
    commits = collect_commits(fix, plan, worked, FIRST)
    judged = judge_commits(fix, plan, commits, contexts, caps, FIRST)
    if not judged.allowed:
        worked = answer_denial(fix, worked, judged, caps)
        if worked.session.end is SessionEnd.completed:
            commits = collect_commits(fix, plan, worked, PURPOSE)
            judged = judge_commits(fix, plan, commits, contexts, caps, PURPOSE)
    return Done(worked=worked, commits=commits, judged=judged)


@task(
    name="find existing pull request",
    task_run_name="find pull requests of {fix.repository}",
    cache_policy=NO_CACHE,
    **REMOTE,
)
@guarded
def find_existing(fix: Fix) -> Skipped | None:
    """Why nothing may be started now, or None. Asked before the model is."""
    settings = load_settings()
    settings.require("github_token")
    with GithubClient(settings) as client:
        return find_existing_change(client, fix.repository, fix.fix_id, fix.services)


def _key(task_name: str) -> Any:
    """One result per fix, publisher and turn, whichever run asks."""

    def key(_: object, arguments: dict[str, Any]) -> str:
        turn = arguments.get("turn", FIRST)
        return make_key(task_name, arguments["fix"].fix_id, "gate", turn)

    return key


@task(
    name="work on plan",
    task_run_name="agent works on {fix.repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=_key("session"),
    **REMOTE,
)
@guarded
def work_on_plan(
    fix: Fix, plan: PlanResult, contexts: list[ServiceContext], architecture: str, caps: Caps
) -> WorkedOn:
    """One OpenCode session on a clone of its own, watched to its end."""
    settings = load_settings()
    # the gate needs them in the end; compiled while the agent works
    Thread(target=gate.load_rules, daemon=True).start()
    with OpencodeClient(settings) as client:
        client.wait_until_healthy(HEALTH_SECONDS)
        workspace = prepare_workspace(
            client,
            settings,
            repository=fix.repository,
            fix_id=fix.fix_id,
            base_branch=fix.base_branch,
        )
        job = FixJob(
            workspace=workspace,
            title=plan.plan.title,
            prompt=_prompt(fix, plan, contexts, architecture),
            work_ids=fix.work_ids,
        )
        with follow_session(fix.fix_id, settings, job) as tell:
            session = supervise(client, job, _limits(caps), on_progress=tell)
    return WorkedOn(job=job, session=redact_model(session, redactor(settings)))


@task(
    name="answer denial",
    task_run_name="agent answers the gate in {fix.repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=_key("answer"),
    **REMOTE,
)
@guarded
def answer_denial(fix: Fix, worked: WorkedOn, judged: GateResult, caps: Caps) -> WorkedOn:
    """The same session once more, with the reasons; within what is left of its limits."""
    settings = load_settings()
    job = retry_job(worked.job, judged)
    with OpencodeClient(settings) as client:
        client.wait_until_healthy(HEALTH_SECONDS)
        with follow_session(fix.fix_id, settings, job) as tell:
            limits = rest_of(_limits(caps), worked.session)
            session = supervise(client, job, limits, on_progress=tell)
    added = add_turn(worked.session, redact_model(session, redactor(settings)))
    return WorkedOn(job=worked.job, session=added)


@task(
    name="collect commits",
    task_run_name="collect commits of {fix.repository}",
    persist_result=True,
    result_serializer="compressed/pickle",
    cache_key_fn=_key("commits"),
    **REMOTE,
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
    title = plain(redactor(settings)(plan.plan.title), cap=100)
    change = Change(
        repository=fix.repository,
        base_branch=fix.base_branch,
        branch=fix.branch,
        base=session.base,
        title=title,
        message=render_message(title, plan.plan, fix.work_ids),
    )
    return Commits(change=change, head=session.head, bundle=bundle)


@task(
    name="judge commits",
    task_run_name="judge commits of {fix.repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=_key("gate"),
    **REMOTE,
)
@guarded
def judge_commits(
    fix: Fix,  # noqa: ARG001 - names the run and the result
    plan: PlanResult,
    commits: Commits,
    contexts: list[ServiceContext],
    caps: Caps,
    turn: str,  # noqa: ARG001 - part of the key
) -> GateResult:
    """May these commits be published? Decided in a bare clone that the agent cannot reach."""
    settings = load_settings()
    options = build_options(plan.plan, contexts, caps, settings.secret_values())
    with _imported(commits) as (repository, head):
        judged = gate.judge(repository, commits.change.base, head, options)
    return redact_model(judged, redactor(settings))


@task(
    name="publish",
    task_run_name="open pull request in {fix.repository}",
    cache_policy=NO_CACHE,
    **REMOTE,
)
@guarded
def publish(fix: Fix, plan: PlanResult, contexts: list[ServiceContext], done: Done) -> PullRequest:
    """Push the judged tree and open the draft pull request, unless both are there."""
    require_allowed(done.judged)
    settings = load_settings()
    run_url = url_for("flow-run", flow_run.get_id()) or ""
    change = done.commits.change
    with GithubClient(settings) as client, _imported(done.commits) as (repository, head):
        if head != done.judged.head:
            raise PolicyViolation(f"judged was {done.judged.head[:12]}, not {head[:12]}")
        commit = settle(repository, change, head)
        push(repository, change, commit, settings=settings, github=client)
        body = render_body(
            plan,
            contexts,
            done.worked.session,
            done.judged,
            fix.work_ids,
            run_url,
            redact=redactor(settings),
        )
        body += render_memo(context.incident for context in contexts) + "\n"
        return open_pull_request(change, body, github=client)


def _limits(caps: Caps) -> SessionLimits:
    return SessionLimits(
        length=timedelta(minutes=caps.session_minutes),
        steps=caps.session_steps,
        cost=caps.session_cost,
    )


def _nothing(worked: WorkedOn) -> str:
    said = f"; it said: {cut(worked.session.answer, 300)!r}" if worked.session.answer else ""
    return f"the agent changed nothing: {worked.session.reason}{said}"


@contextmanager
def _imported(commits: Commits) -> Iterator[tuple[Path, str]]:
    """A bare clone with the commits in it, and the newest of them; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="autofix-") as folder:
        yield import_bundle(
            commits.bundle, commits.change, settings=load_settings(), workdir=Path(folder)
        )


def _prompt(
    fix: Fix, plan: PlanResult, contexts: Sequence[ServiceContext], architecture: str
) -> str:
    settings = load_settings()
    door = redactor(settings)
    nonce = fence_nonce(settings.secret_values(), contexts)
    return render_prompt(
        plan.plan,
        fenced(door(architecture), nonce),
        "\n\n".join(render_context(context, nonce) for context in contexts),
        repository=fix.repository,
        service_folders=allowed_roots(contexts),
    )
