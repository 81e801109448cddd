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
from autofix.change.adopt import (
    add_denials,
    adopt,
    close_denied,
    find_published,
    import_published,
)
from autofix.change.github import GithubClient
from autofix.change.github_life import LifeClient
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
from tasks.agent import (
    answer_denial,
    clean_up,
    collect_commits,
    name_change,
    prepare,
    work_on_plan,
)
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
    if load_settings().autofix_publisher == "agent":
        return _take_published(fix, plan, contexts, worked, caps)
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


def _take_published(
    fix: Fix, plan: PlanResult, contexts: list[ServiceContext], worked: WorkedOn, caps: Caps
) -> Done | Skipped:
    """What the agent pushed and opened itself, judged; what is denied is closed at once."""
    commits = find_commits(fix, plan, worked)
    if isinstance(commits, Skipped):
        return commits
    judged = judge_commits(fix, plan, commits, contexts, caps, FIRST)
    done = Done(worked=worked, commits=commits, judged=judged)
    return done.model_copy(update={"judged": settle_published(fix, done)})


@task(
    name="find published commits",
    task_run_name="find what the agent published in {fix.repository}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def find_commits(fix: Fix, plan: PlanResult, worked: WorkedOn) -> Commits | Skipped:
    """The branch as it is on the forge; why there is nothing to judge when there is none."""
    change = name_change(fix, plan, worked.session.base)
    with LifeClient(load_settings()) as client:
        there = find_published(client, change)
    if there is None:
        session = worked.session
        ended = f"; its session ended as {session.end}: {session.reason}".rstrip(": ")
        return Skipped(reason=f"the agent pushed nothing{ended}")
    return Commits(change=change, head=there.head, bundle=b"")


@task(
    name="settle published",
    task_run_name="adopt or close what the agent published in {fix.repository}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def settle_published(fix: Fix, done: Done) -> GateResult:  # noqa: ARG001 - names the run
    """The whole verdict; a pull request that is denied is closed with the reasons."""
    settings, change = load_settings(), done.commits.change
    with LifeClient(settings) as client:
        there = find_published(client, change)
        if there is None:
            raise PolicyViolation(f"branch {change.branch} is gone")
        judged = add_denials(done.judged, there, change, done.worked.session)
        judged = redact_model(judged, redactor(settings))
        if not judged.allowed:
            repository, _ = _import(done.commits)
            close_denied(client, change, judged, settings=settings, repository=repository)
    return judged


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
            client,
            fix.repository,
            fix.fix_id,
            fix.services,
            most_open=most,
            agent_publishes=settings.autofix_publisher == "agent",
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
    fix: Fix,
    plan: PlanResult,
    commits: Commits,
    contexts: list[ServiceContext],
    caps: Caps,
    turn: str,  # noqa: ARG001 - part of the key
) -> GateResult:
    """May these commits be published? Decided in a bare clone that the agent cannot reach."""
    settings = load_settings()
    options = build_options(plan.plan, contexts, caps, settings.secret_values(), fix.allowed)
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
    agent_publishes = settings.autofix_publisher == "agent"
    with LifeClient(settings) as client:
        existing = find_existing_change(
            client, fix.repository, fix.fix_id, fix.services, agent_publishes=agent_publishes
        )
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
        if agent_publishes:
            pull = adopt(client, change, head, body)
        else:
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
    if not commits.bundle:
        return import_published(
            commits.change, commits.head, settings=load_settings(), workdir=folder
        )
    return import_bundle(commits.bundle, commits.change, settings=load_settings(), workdir=folder)
