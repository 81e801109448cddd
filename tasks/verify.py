"""Shells around `autofix.verify`: merged fixes to outcomes, open ones kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from autofix.change.github_life import LifeClient
from autofix.change.ids import BRANCH_PREFIX
from autofix.detect.findings import judge_observation
from autofix.models import Architecture, IncidentRecord, Model, PullRequest
from autofix.observe.railway import RailwayClient
from autofix.parameters import Rules, VerificationParameters, WindowParameters
from autofix.redact import redactor
from autofix.settings import load_settings
from autofix.verify.desk import post_outcome, tend
from autofix.verify.facts import is_of_environment
from autofix.verify.merge import Plan, verify_merge
from autofix.verify.rollback import roll_back
from autofix.verify.verification import Settled, Waiting, find_outcome
from tasks.guard import guarded
from tasks.options import LOOK

DEPLOYMENTS = 50
"""Newest deployments of a service among which the one that carries a merge is looked for."""


class Fixes(Model):
    """Our pull requests that are not done with."""

    merged: tuple[PullRequest, ...]
    """Without an outcome."""
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


@task(
    name="tend pull request",
    task_run_name="tend {pull.repository}#{pull.number}",
    cache_policy=NO_CACHE,
    **LOOK,
)
@guarded
def tend_open(
    pull: PullRequest, records: Sequence[IncidentRecord], now: datetime
) -> tuple[str, ...]:
    """What was done with one open pull request at this look."""
    settings = load_settings()
    with LifeClient(settings) as forge:
        acts = tend(forge, pull, records, now, redactor(settings))
    return tuple(act.name for act in acts)
