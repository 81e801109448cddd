"""Shells around `autofix.change`: from a plan to a draft pull request."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.utilities.urls import url_for

from autofix.change import gate
from autofix.change.github import GithubClient
from autofix.change.memo import render_memo
from autofix.change.pr_body import render_body
from autofix.change.publish import (
    LABEL,
    find_existing_change,
    finish_existing_change,
    push_and_open,
    require_allowed,
    require_writable,
)
from autofix.change.retry import PURPOSE
from autofix.change.scope import build_options
from autofix.change.transfer import import_bundle
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
from autofix.redact import cut, redact_model, redactor
from autofix.settings import load_settings
from tasks.agent import answer_denial, clean_up, collect_commits, prepare, work_on_plan
from tasks.dispatch import tell_monitor
from tasks.fix import FIRST, Commits, Done, Fix, WorkedOn, agent_slot, fix_key
from tasks.guard import guarded
from tasks.options import LONG, LOOK
from tasks.spending import OPENED, require_room_today


def make_change(
    fix: Fix, plan: PlanResult, contexts: list[ServiceContext], architecture: str, caps: Caps
) -> Done | Skipped:
    """The agent's commits with the gate's verdict; a denial is answered by the agent once."""
    workspace = prepare(fix)
    with agent_slot(caps.agent_sessions):
        worked = work_on_plan(fix, plan, contexts, architecture, caps, workspace)
    if worked.session.end is SessionEnd.nothing_to_change:
        clean_up(fix, worked)
        return Skipped(reason=_nothing(worked))
    commits = collect_commits(fix, plan, worked, FIRST)
    judged = judge_commits(fix, plan, commits, contexts, caps, FIRST)
    if not judged.allowed:
        with agent_slot(caps.agent_sessions):
            worked = answer_denial(fix, worked, judged, caps)
        if worked.session.end is SessionEnd.completed:
            commits = collect_commits(fix, plan, worked, PURPOSE)
            judged = judge_commits(fix, plan, commits, contexts, caps, PURPOSE)
    return Done(worked=worked, commits=commits, judged=judged)


@task(
    name="find existing pull request",
    task_run_name="find pull requests of {fix.repository}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def find_existing(fix: Fix, caps: Caps) -> Skipped | None:
    """Why nothing may be started now, or None. Asked before the model is.

    What a run that died left undone on the pull request of this very fix is done.

    Raises:
        BudgetExceeded: a cap on pull requests is reached.
        GithubError: the forge cannot be asked, or no pull request can come to be there.
    """
    settings = load_settings()
    settings.require("github_token")
    with GithubClient(settings) as client:
        most = caps.open_pull_requests_per_repository
        found = find_existing_change(
            client, fix.repository, fix.fix_id, fix.services, most_open=most
        )
        if found is None:
            require_room_today(caps)
            require_writable(client, fix.repository, fix.base_branch)
        else:
            finish_existing_change(client, fix.repository, fix.fix_id, found)
    return found


@task(
    name="judge commits",
    task_run_name="judge commits of {fix.repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=fix_key("gate"),
    **LONG,
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
    repository, head = _import(commits)
    judged = gate.judge(repository, commits.change.base, head, options)
    return redact_model(judged, redactor(settings))


@task(
    name="publish",
    task_run_name="open pull request in {fix.repository}",
    cache_policy=NO_CACHE,
    **LONG,
)
@guarded
def publish(fix: Fix, plan: PlanResult, contexts: list[ServiceContext], done: Done) -> PullRequest:
    """Push the judged tree and open the draft pull request, unless both are there."""
    require_allowed(done.judged)
    settings = load_settings()
    run_url = url_for("flow-run", flow_run.get_id()) or ""
    change = done.commits.change
    with GithubClient(settings) as client:
        existing = find_existing_change(client, fix.repository, fix.fix_id, fix.services)
        if existing is not None:
            return _found(existing, fix, client)
        repository, head = _import(done.commits)
        if head != done.judged.head:
            raise PolicyViolation(f"judged was {done.judged.head[:12]}, not {head[:12]}")
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
        pull = push_and_open(repository, change, head, body, settings=settings, github=client)
    tell_monitor({OPENED: pull.url})
    return pull


def _found(existing: Skipped, fix: Fix, client: GithubClient) -> PullRequest:
    """This fix's own pull request, made by an earlier run; PolicyViolation when it is another's."""
    pull = existing.pull_request
    if pull is None or pull.branch != fix.branch:
        raise PolicyViolation(f"nothing was pushed: {existing.reason}")
    if pull.state == "open" and LABEL not in pull.labels:
        client.add_labels(fix.repository, pull.number, [LABEL])
    return pull


def _nothing(worked: WorkedOn) -> str:
    said = f"; it said: {cut(worked.session.answer, 300)!r}" if worked.session.answer else ""
    return f"the agent changed nothing: {worked.session.reason}{said}"


@lru_cache(maxsize=2)
def _import(commits: Commits) -> tuple[Path, str]:
    """A bare clone with the commits in it, and the newest of them.

    Judging and publishing ask for the same one; it is gone when the process ends.
    """
    folder = Path(tempfile.mkdtemp(prefix="autofix-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return import_bundle(commits.bundle, commits.change, settings=load_settings(), workdir=folder)
