"""Shells around `autofix.verify`: merged fixes to outcomes, open ones kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from autofix.change.github_life import LifeClient
from autofix.change.ids import BRANCH_PREFIX
from autofix.change.markdown import inline
from autofix.change.pr_body import parse_marker
from autofix.detect.findings import judge_observation
from autofix.models import Architecture, IncidentRecord, Model, PullRequest
from autofix.observe.railway import RailwayClient
from autofix.parameters import Rules, VerificationParameters, WindowParameters
from autofix.redact import redactor
from autofix.settings import load_settings
from autofix.verify.desk import give_to_person, post_outcome, tend
from autofix.verify.facts import is_of_environment
from autofix.verify.merge import Plan, verify_merge
from autofix.verify.rollback import roll_back
from autofix.verify.turn import post_turn
from autofix.verify.upkeep import Act, ActKind, build_follow_up
from autofix.verify.verification import Settled, Waiting, find_outcome
from tasks.dispatch import find_first_run
from tasks.guard import guarded
from tasks.handover import FIX, hand_to_answer
from tasks.options import LOOK

DEPLOYMENTS = 50
"""Newest deployments of a service among which the one that carries a merge is looked for."""


class Fixes(Model):
    """Our pull requests that are not done with."""

    merged: tuple[PullRequest, ...]
    """Without an outcome."""
    settled: tuple[PullRequest, ...] = ()
    """With one, whether or not the monitor has read it yet."""
    open: tuple[PullRequest, ...]


class Verified(Model):
    """What came of one merged fix at this look: an outcome, or what it waits for."""

    pull_request: PullRequest
    settled: Settled | None = None
    waiting: Waiting | None = None


@task(name="find fixes", task_run_name="find fixes", cache_policy=NO_CACHE, **LOOK)
@guarded
def find_fixes(architecture: Architecture) -> Fixes:
    """Pull requests of ours in this environment: merged ones without an outcome, and open ones."""
    repositories = sorted({s.repository for s in architecture.services if s.repository})
    found: list[PullRequest] = []
    with LifeClient(load_settings()) as client:
        for repository in repositories:
            found += client.find_pull_requests(repository, state="all", head_prefix=BRANCH_PREFIX)
    here = [pull for pull in found if is_of_environment(pull, architecture.environment_id)]
    return Fixes(
        merged=tuple(p for p in here if p.merged and find_outcome(p) is None),
        settled=tuple(p for p in here if find_outcome(p) is not None),
        open=tuple(p for p in here if p.state == "open"),
    )


@task(
    name="verify merge",
    task_run_name="verify {pull.repository}#{pull.number}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def verify(
    pull: PullRequest,
    architecture: Architecture,
    window: WindowParameters,
    rules: Rules,
    verification: VerificationParameters,
    now: datetime,
) -> Verified:
    """Look again at the services of one merged fix, and write what came of it."""
    settings = load_settings()
    plan = Plan(
        window=window.length,
        step=window.step,
        warm_up=verification.warm_up,
        min_requests=verification.min_requests,
        deployments=DEPLOYMENTS,
    )
    with RailwayClient(settings) as railway, LifeClient(settings) as forge:
        came = verify_merge(
            railway,
            forge,
            architecture,
            pull,
            plan,
            now,
            detect=lambda o: judge_observation(o, rules),
        )
        if isinstance(came, Waiting):
            return Verified(pull_request=pull, waiting=came)
        post_outcome(forge, came, redactor(settings))
        if verification.rollback:
            get_run_logger().info(roll_back(railway, forge, came, redactor(settings)))
    return Verified(pull_request=pull, settled=came)


class Tended(Model):
    """What was done with one open pull request at this look."""

    pull_request: PullRequest
    acts: tuple[str, ...] = ()
    turns: tuple[Act, ...] = ()
    """What the agent is to answer."""


@task(
    name="tend pull request",
    task_run_name="tend {pull.repository}#{pull.number}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def tend_open(pull: PullRequest, records: Sequence[IncidentRecord], now: datetime) -> Tended:
    """Keep one open pull request; turns of the agent are named and not taken here."""
    settings = load_settings()
    with LifeClient(settings) as forge:
        acts = tend(forge, pull, records, now, redactor(settings))
    return Tended(
        pull_request=pull,
        acts=tuple(act.name for act in acts),
        turns=tuple(act for act in acts if act.kind is ActKind.turn),
    )


@task(
    name="ask the agent",
    task_run_name="ask the agent about {tended.pull_request.repository}#{tended.pull_request.number}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def ask_agent(tended: Tended) -> tuple[str, ...]:
    """Start a run for each turn, found by its key; one that ended without an answer is told."""
    pull, marker = tended.pull_request, parse_marker(tended.pull_request.body)
    if not tended.turns or marker is None:
        return ()
    settings = load_settings()
    door = redactor(settings)
    made_by = find_first_run(FIX, marker.work_ids)
    asked = []
    with LifeClient(settings) as forge:
        for act in tended.turns:
            if made_by is None:
                give_to_person(
                    forge, pull, "The run that made this change is not known any more", door
                )
                continue
            follow_up = build_follow_up(pull, act, made_by, door)
            started = hand_to_answer(pull.repository, follow_up, marker.work_ids)
            if started.ended:
                said = f"Answer to {act.what}: it could not be given. {inline(started.ended)}"
                post_turn(forge, pull.repository, follow_up, door(said))
            asked.append(started.name)
    return tuple(asked)
