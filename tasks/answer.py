"""One more turn of the agent on its open pull request: session, gate, push, and a comment last."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from uuid import UUID

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.states import Completed

from autofix.change import gate
from autofix.change.answer import FollowUp, answer_job, render_answer, render_answer_prompt
from autofix.change.git import run_git
from autofix.change.github_life import LifeClient
from autofix.change.ids import session_id
from autofix.change.opencode import OpencodeClient
from autofix.change.render import render_change
from autofix.change.scope import build_options
from autofix.change.transfer import Change, advance, import_bundle, settle
from autofix.change.workspace import clone_name, fetch_bundle, prepare_workspace
from autofix.errors import ConfigError, PolicyViolation
from autofix.models import (
    GateResult,
    Model,
    PlanResult,
    ServiceContext,
    SessionEnd,
    Skipped,
)
from autofix.parameters import Caps
from autofix.redact import redact_model, redactor
from autofix.redact.fence import fenced, make_nonce
from autofix.settings import load_settings
from autofix.verify.turn import find_settled, post_turn
from tasks.agent import HEALTH_SECONDS, clean_up, fix_prompt, limits_of, watch_session
from tasks.artifacts import post_markdown
from tasks.dispatch import ALLOWED_LABEL, cost_label, tell_monitor
from tasks.fix import Commits, Fix, WorkedOn, agent_slot, fix_key
from tasks.guard import door, guarded
from tasks.options import LONG, LOOK, OWN, PACKED, SESSION


class Made(Model):
    """What the run went by that opened the pull request."""

    contexts: list[ServiceContext]
    architecture: str
    caps: Caps
    allowed: tuple[str, ...] = ()


@task(
    name="load first run", task_run_name="load the run of the change", cache_policy=NO_CACHE, **OWN
)
@guarded
def load_made(follow_up: FollowUp) -> Made:
    """The parameters of the run that opened the pull request, and what a person allowed it."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(follow_up.made_by))
    given = run.parameters
    if not given.get("contexts"):
        raise ConfigError(f"run {follow_up.made_by} opened no pull request")
    return Made(
        contexts=[ServiceContext.model_validate(c) for c in given["contexts"]],
        architecture=str(given.get("architecture", "")),
        caps=Caps.model_validate(given.get("caps") or {}),
        allowed=tuple(json.loads(str(run.labels.get(ALLOWED_LABEL, "[]")))),
    )


@task(
    name="find answer",
    task_run_name="look at #{follow_up.pull_request} of {fix.repository}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def find_answer(fix: Fix, follow_up: FollowUp) -> Skipped | None:
    """Why this turn must not be taken, or not again; None when it is to be taken."""
    with LifeClient(load_settings()) as forge:
        return find_settled(forge, fix.repository, follow_up.pull_request, follow_up.turn)


def take_turn(fix: Fix, follow_up: FollowUp, plan: PlanResult, made: Made) -> str:
    """The whole turn; what it came to, as the comment says it."""
    with agent_slot(made.caps.agent_sessions):
        worked = work_on_answer(fix, follow_up, plan, made, turn=follow_up.turn)
    commits = judged = None
    if worked.session.end is SessionEnd.completed and worked.session.head is not None:
        commits = collect_answer(fix, follow_up, worked, turn=follow_up.turn)
        judged = judge_answer(fix, follow_up, plan, made, commits, turn=follow_up.turn)
    said = publish_answer(fix, follow_up, worked, commits, judged)
    if judged is not None:
        change = render_change(worked.session, judged)
        post_markdown(f"change-{fix.fix_id}", change, f"Answer in {fix.repository}")
    share = worked.session.cost / len(fix.work_ids)
    tell_monitor({cost_label(work_id): share for work_id in fix.work_ids})
    clean_up(fix, worked)
    return said


@task(
    name="work on answer",
    task_run_name="agent answers on {fix.repository}#{follow_up.pull_request}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=fix_key("answer-session"),
    **SESSION,
)
@guarded
def work_on_answer(
    fix: Fix,
    follow_up: FollowUp,
    plan: PlanResult,
    made: Made,
    *,
    turn: str,  # noqa: ARG001 - part of the key
) -> WorkedOn:
    """The same session once more, on a clone of what was published, watched to its end."""
    settings = load_settings()
    nonce = make_nonce(settings.secret_values(), follow_up.model_dump_json())
    material = fenced(redactor(settings)(follow_up.material), nonce)
    with OpencodeClient(settings) as client:
        client.wait_until_healthy(HEALTH_SECONDS)
        workspace = prepare_workspace(
            client,
            settings,
            repository=fix.repository,
            fix_id=fix.fix_id,
            base_branch=fix.base_branch,
            base=follow_up.head,
        )
        name = session_id(fix.fix_id)
        known = client.find_session(name)
        messages = client.fetch_messages(name, workspace.directory) if known else ()
        job = answer_job(
            workspace,
            follow_up,
            render_answer_prompt(follow_up, material, clone=clone_name(fix.repository)),
            fix_prompt(fix, plan, made.contexts, made.architecture),
            messages,
            title=plan.plan.title,
            work_ids=fix.work_ids,
        )
        session = watch_session(client, fix, job, limits_of(made.caps))
    return WorkedOn(job=job, session=redact_model(session, redactor(settings)))


@task(
    name="collect answer",
    task_run_name="collect the answer's commits of {fix.repository}",
    persist_result=True,
    result_serializer=PACKED,
    cache_key_fn=fix_key("answer-commits"),
    **LONG,
)
@guarded
def collect_answer(
    fix: Fix,
    follow_up: FollowUp,
    worked: WorkedOn,
    *,
    turn: str,  # noqa: ARG001 - part of the key
) -> Commits:
    """The commits on top of what was published, as a git bundle."""
    settings = load_settings()
    with OpencodeClient(settings) as client:
        bundle = fetch_bundle(client, settings, worked.job.workspace)
    title = f"Answer to {follow_up.what}"
    change = Change(
        repository=fix.repository,
        base_branch=fix.branch,  # what is added begins on our own branch
        branch=fix.branch,
        base=follow_up.head,
        title=title,
        message=f"{title}\n\nOn pull request {follow_up.pull_request}, {follow_up.turn}.\n",
    )
    assert worked.session.head is not None  # noqa: S101 - the session completed
    return Commits(change=change, head=worked.session.head, bundle=bundle)


@task(
    name="judge answer",
    task_run_name="judge the answer's commits of {fix.repository}",
    persist_result=True,
    result_serializer="json",
    cache_key_fn=fix_key("answer-gate"),
    **LONG,
)
@guarded
def judge_answer(
    fix: Fix,
    follow_up: FollowUp,
    plan: PlanResult,
    made: Made,
    commits: Commits,
    *,
    turn: str,  # noqa: ARG001 - part of the key
) -> GateResult:
    """May the pull request hold these commits too? Judged is all of it, from where it began."""
    settings = load_settings()
    secrets = settings.secret_values()
    options = build_options(plan.plan, made.contexts, made.caps, secrets, fix.allowed)
    with tempfile.TemporaryDirectory(prefix="autofix-") as folder:
        repository, head = import_bundle(
            commits.bundle, commits.change, settings=settings, workdir=Path(folder)
        )
        began = f"{follow_up.head}~{follow_up.commits}"
        base = run_git("rev-parse", "--verify", began, cwd=repository).decode().strip()
        judged = gate.judge(repository, base, head, options)
    return redact_model(judged, redactor(settings))


@task(
    name="publish answer",
    task_run_name="answer on {fix.repository}#{follow_up.pull_request}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def publish_answer(
    fix: Fix,
    follow_up: FollowUp,
    worked: WorkedOn,
    commits: Commits | None,
    judged: GateResult | None,
) -> str:
    """Push what was judged onto our branch and comment; either only where it is not there yet.

    The comment comes last: while it is missing, the turn was not taken.
    """
    settings = load_settings()
    with LifeClient(settings) as forge:
        commit = None
        if commits is not None and judged is not None and judged.allowed:
            with tempfile.TemporaryDirectory(prefix="autofix-") as folder:
                repository, head = import_bundle(
                    commits.bundle, commits.change, settings=settings, workdir=Path(folder)
                )
                if head != judged.head:
                    raise PolicyViolation(f"judged was {judged.head[:12]}, not {head[:12]}")
                commit = settle(repository, commits.change, head)
                advance(repository, commits.change, commit, settings=settings, github=forge)
        text = redactor(settings)(render_answer(follow_up, worked.session, judged, commit))
        post_turn(forge, fix.repository, follow_up, text)
    return text


def report_answer(fix: Fix, follow_up: FollowUp, said: str) -> State[None]:
    """End a run that answered: what it came to, as an artifact and as the state's message."""
    post_markdown(f"answer-{fix.fix_id}-{follow_up.turn}", said, "Answer on the pull request")
    return Completed(message=door(said.partition("\n")[0]))
