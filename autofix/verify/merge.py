"""From a merged pull request to its outcome: deployment, warm-up, windows, judgement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from autofix.change.github_life import LifeClient
from autofix.change.memo import IncidentMemo, parse_memo
from autofix.models import Architecture, PullRequest
from autofix.observe.railway import RailwayClient
from autofix.verify.carrier import Carrier, find_carrier
from autofix.verify.look import Detect, Look, look_again, spans_of
from autofix.verify.verification import Settled, Waiting, judge_patience, settle


@dataclass(frozen=True)
class Plan:
    """How it is looked again."""

    window: timedelta
    step: timedelta | None
    """Distance of two samples; as fine as the API bears when None."""
    warm_up: timedelta
    min_requests: int
    deployments: int
    """Newest deployments among which the carrier is looked for."""


def verify_merge(
    railway: RailwayClient,
    forge: LifeClient,
    architecture: Architecture,
    pull: PullRequest,
    plan: Plan,
    now: datetime,
    *,
    detect: Detect,
) -> Settled | Waiting:
    """The outcome of a merged fix, or why it is too early to say.

    Args:
        railway: reads Railway.
        forge: reads the forge.
        architecture: what runs now.
        pull: merged, with its memo.
        plan: windows and least traffic.
        now: the tick.
        detect: the detector with the deployment's rules.

    Raises:
        RailwayError, GithubError: one of the two could not be asked.
    """
    memos = [m for m in parse_memo(pull.body) if m.environment_id == architecture.environment_id]
    known = {service.id for service in architecture.services}
    there = [memo for memo in memos if memo.service_id in known]
    if not there:
        return judge_patience(pull, [memo.service for memo in memos], now)
    carriers = {memo.service_id: _carrier(railway, forge, pull, memo, plan) for memo in there}
    missing = [memo.service for memo in there if carriers[memo.service_id] is None]
    if missing:
        return judge_patience(pull, missing, now)
    found = [(memo, carrier) for memo in there if (carrier := carriers[memo.service_id])]
    ends = max(c.live_at for _, c in found) + plan.warm_up + plan.window
    if now < ends:
        return Waiting(reason="the deployment is live; its window is not over yet", until=ends)
    looks = [(m, c, _look(railway, architecture, m, c, plan, detect)) for m, c in found]
    return settle(pull, looks, plan.min_requests, now)


def _carrier(
    railway: RailwayClient,
    forge: LifeClient,
    pull: PullRequest,
    memo: IncidentMemo,
    plan: Plan,
) -> Carrier | None:
    if pull.merge_commit is None or pull.merged_at is None:
        return None
    merge = pull.merge_commit
    return find_carrier(
        railway.fetch_deployments(memo.service_id, limit=plan.deployments),
        merge,
        pull.merged_at,
        lambda commit: forge.contains(pull.repository, merge, commit),
    )


def _look(
    railway: RailwayClient,
    architecture: Architecture,
    memo: IncidentMemo,
    carrier: Carrier,
    plan: Plan,
    detect: Detect,
) -> Look:
    return look_again(
        railway,
        architecture,
        memo,
        spans_of(carrier, memo.onset, plan.warm_up, plan.window),
        step=plan.step,
        min_requests=plan.min_requests,
        detect=detect,
    )
