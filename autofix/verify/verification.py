"""A verification from the merge to its outcome, with what it still waits for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from autofix.change.memo import IncidentMemo
from autofix.models import Deployment, Model, Outcome, PullRequest
from autofix.verify.carrier import Carrier
from autofix.verify.compare import Comparison
from autofix.verify.look import Look
from autofix.verify.outcome import combine, judge_outcome
from autofix.verify.readings import count_parts, measure_of, read_steps

PATIENCE = timedelta(hours=24)
"""How long a merge may wait for its deployment."""
PARTS = 24
"""Parts of a window in a picture."""
LABELS = {outcome: f"autofix:{outcome.value}" for outcome in Outcome}


class Waiting(Model):
    """It is too early to look, and why."""

    reason: str
    until: AwareDatetime | None = None


class Picture(Model):
    """One signal in equal parts of time, before the fix was live and after; None is a gap."""

    service: str
    name: str
    unit: str
    during: tuple[float | None, ...]
    after: tuple[float | None, ...]


class Settled(Model):
    """A verification with its outcome."""

    pull_request: PullRequest
    outcome: Outcome
    reasons: tuple[str, ...]
    comparisons: tuple[tuple[str, Comparison], ...] = ()
    """Service and signal, before and after."""
    times: tuple[tuple[str, AwareDatetime], ...]
    """What happened when, in order: onset, found, pull request, merged, live, outcome."""
    deployment: Deployment | None = None
    """The one that carries the merge."""
    rollback_to: Deployment | None = None
    """What served before; only with `worse`."""
    pictures: tuple[Picture, ...] = ()


def find_outcome(pull: PullRequest) -> Outcome | None:
    """The outcome that was written on a pull request; None while there is none."""
    return next((outcome for outcome, label in LABELS.items() if label in pull.labels), None)


def judge_patience(pull: PullRequest, missing: Sequence[str], now: datetime) -> Waiting | Settled:
    """A merge whose deployment is not live: wait, or after a day give up on it.

    Args:
        pull: merged.
        missing: names of services without the deployment.
        now: the tick.
    """
    merged_at = pull.merged_at or now
    names = ", ".join(missing)
    if now - merged_at < PATIENCE:
        return Waiting(reason=f"no deployment of {names} carries the merge yet")
    hours = PATIENCE.total_seconds() / 3600
    reason = f"{hours:g} hours after the merge no deployment of {names} carries it"
    return Settled(
        pull_request=pull,
        outcome=Outcome.inconclusive,
        reasons=(reason,),
        times=times_of(pull, (), None, now),
    )


def settle(
    pull: PullRequest,
    sights: Sequence[tuple[IncidentMemo, Carrier, Look]],
    min_requests: int,
    now: datetime,
) -> Settled:
    """The outcome of a fix over all services it covers.

    Args:
        pull: merged.
        sights: what was seen of each service; at least one.
        min_requests: see `judge_outcome`.
        now: the tick.
    """
    whole = combine(
        judge_outcome(look.sight, carrier.others, look.spans.after, min_requests)
        for _, carrier, look in sights
    )
    carrier = max((c for _, c, _ in sights), key=lambda c: c.live_at)
    return Settled(
        pull_request=pull,
        outcome=whole.outcome,
        reasons=whole.reasons,
        comparisons=tuple(
            (look.sight.service, c) for _, _, look in sights for c in look.sight.comparisons
        ),
        times=times_of(pull, [memo for memo, _, _ in sights], carrier, now),
        deployment=carrier.deployment,
        rollback_to=carrier.previous if whole.outcome is Outcome.worse else None,
        pictures=tuple(picture for memo, _, look in sights for picture in draw(memo, look)),
    )


def times_of(
    pull: PullRequest, memos: Sequence[IncidentMemo], carrier: Carrier | None, now: datetime
) -> tuple[tuple[str, datetime], ...]:
    """What happened when; what is not known is left out."""
    steps = (
        ("onset", min((m.onset for m in memos), default=None)),
        ("found", min((m.found_at for m in memos), default=None)),
        ("pull request", pull.created_at),
        ("merged", pull.merged_at),
        ("live", carrier.live_at if carrier else None),
        ("outcome", now),
    )
    return tuple((name, at) for name, at in steps if at is not None)


def draw(memo: IncidentMemo, look: Look) -> tuple[Picture, ...]:
    """Each signal of an incident, before the fix was live and after."""
    pictures: dict[str, Picture] = {}
    parts = count_parts(look.samples, memo.service_id, look.spans.after, PARTS)
    for finding in memo.findings():
        measure = measure_of(finding.signal, finding.pattern)
        if measure is None or measure.name in pictures:
            continue
        during, after = (
            read_steps(look.samples, memo.service_id, window, measure, parts)
            for window in (look.spans.during, look.spans.after)
        )
        pictures[measure.name] = Picture(
            service=memo.service,
            name=measure.name,
            unit=measure.step_unit,
            during=during,
            after=after,
        )
    return tuple(pictures.values())
