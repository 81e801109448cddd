"""What a fix did, settled by code: recovered, unchanged, worse or inconclusive, each with reasons.

An outcome other than inconclusive needs three things: enough was measured, nothing else was
deployed meanwhile, and the trouble still stood when the fix went live.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autofix.models import Deployment, Finding, Model, Outcome, Severity, Signal, Window
from autofix.verify.compare import Comparison, Effect

LEAST_TRAFFIC = 0.5
"""After the fix at least this share of the requests from before it; with less, quiet proves nothing."""
MOST_TRAFFIC = 2.0
"""More than so many times the requests, and what got worse may be the traffic."""
_UNDER_LOAD = frozenset({Signal.cpu, Signal.memory, Signal.latency, Signal.http_5xx})
"""Signals that rise with the traffic."""


class Judgement(Model):
    """An outcome with its reasons."""

    outcome: Outcome
    reasons: tuple[str, ...]


class Sight(Model):
    """What was seen of one service before and after the deployment that carries the fix."""

    service: str
    comparisons: tuple[Comparison, ...]
    """Of the signals the incident was made of."""
    found_during: tuple[Finding, ...]
    """What the detector says of the last window before the fix was live."""
    found_after: tuple[Finding, ...]
    """What it says of the window after it."""
    requests_during: int | None
    """None without HTTP."""
    requests_after: int | None
    unknown: str | None = None
    """Why the service could not be read; None when it could."""


def judge_outcome(
    sight: Sight, others: Sequence[Deployment], after: Window, min_requests: int
) -> Judgement:
    """What the fix did for one service.

    Args:
        sight: what was seen of it.
        others: deployments of the service that went live in the window after the fix.
        after: that window.
        min_requests: fewer requests on either side claim nothing for a service with HTTP.
    """
    doubts = [*_unmeasured(sight, min_requests), *_disturbed(others, after)]
    if doubts:
        return Judgement(outcome=Outcome.inconclusive, reasons=tuple(doubts))
    for rule in (_worse, _unchanged, _recovered):
        judgement = rule(sight)
        if judgement is not None:
            return judgement
    return Judgement(outcome=Outcome.inconclusive, reasons=tuple(_undecided(sight)))


def combine(judgements: Iterable[Judgement]) -> Judgement:
    """One outcome for a fix of several services: the worst, recovered only when all did."""
    found = list(judgements)
    for outcome in (Outcome.worse, Outcome.unchanged, Outcome.inconclusive, Outcome.recovered):
        of_it = [judgement for judgement in found if judgement.outcome is outcome]
        if of_it:
            reasons = tuple(reason for judgement in of_it for reason in judgement.reasons)
            return Judgement(outcome=outcome, reasons=reasons)
    return Judgement(outcome=Outcome.inconclusive, reasons=("no service was looked at",))


def _unmeasured(sight: Sight, min_requests: int) -> list[str]:
    if sight.unknown:
        return [f"{sight.service} could not be read: {sight.unknown}"]
    sides = (("before", sight.requests_during), ("after", sight.requests_after))
    few = [
        f"{sight.service}: {count:,} requests in the window {side} the deployment are fewer than "
        f"the {min_requests:,} that a judgement needs"
        for side, count in sides
        if count is not None and count < min_requests
    ]
    if few or any(c.effect is not Effect.unmeasured for c in sight.comparisons):
        return few
    return [f"{sight.service}: none of its signals was measured on both sides"]


def _disturbed(others: Sequence[Deployment], after: Window) -> list[str]:
    return [
        f"another deployment ({_commit(other)}) went live at {other.created_at:%H:%M:%S} UTC, "
        "inside the window"
        for other in others
        if other.created_at < after.end
    ]


def _worse(sight: Sight) -> Judgement | None:
    signals = {c.signal for c in sight.comparisons}
    reasons = [
        f"{sight.service}: {describe_change(c)}"
        for c in sight.comparisons
        if c.effect is Effect.worsened and _may_blame(c.signal, sight)
    ]
    had = {f.signal for f in sight.found_during}
    reasons += [
        f"{sight.service}: new after the fix: {f.reason}"
        for f in sight.found_after
        if f.severity is Severity.critical and f.signal not in signals | had
    ]
    return Judgement(outcome=Outcome.worse, reasons=tuple(reasons)) if reasons else None


def _may_blame(signal: Signal, sight: Sight) -> bool:
    """Whether what got worse is not simply the traffic."""
    grown = _traffic(sight)
    return signal not in _UNDER_LOAD or grown is None or grown <= MOST_TRAFFIC


def _unchanged(sight: Sight) -> Judgement | None:
    signals = {c.signal for c in sight.comparisons}
    effects = {c.signal: c.effect for c in sight.comparisons}
    reasons = [
        f"{sight.service}: {'better, but still in trouble' if improved else 'still in trouble'}: "
        f"{f.reason}"
        for f in sight.found_after
        if f.signal in signals
        for improved in [effects[f.signal] is Effect.improved]
    ]
    return Judgement(outcome=Outcome.unchanged, reasons=tuple(reasons)) if reasons else None


def _recovered(sight: Sight) -> Judgement | None:
    """No signal is in trouble any more, and one that was to the end is surely better.

    Rare events (one restart in half an hour) can be over without being surely fewer; they do not
    stand in the way of signals that are.
    """
    stood = {f.signal for f in sight.found_during}
    better = [c for c in sight.comparisons if c.signal in stood and c.effect is Effect.improved]
    traffic = _traffic(sight)
    if traffic is not None and traffic < LEAST_TRAFFIC:
        return None
    if not better or any(c.effect is Effect.worsened for c in sight.comparisons):
        return None
    reasons = tuple(f"{sight.service}: {describe_change(c)}" for c in better)
    return Judgement(outcome=Outcome.recovered, reasons=reasons)


def _undecided(sight: Sight) -> list[str]:
    signals = {c.signal for c in sight.comparisons}
    if not signals & {f.signal for f in sight.found_during}:
        return [f"{sight.service}: the trouble was over before the fix was live"]
    traffic = _traffic(sight)
    if traffic is not None and traffic < LEAST_TRAFFIC:
        return [
            f"{sight.service}: only {traffic:.0%} of the requests of before, so quiet proves little"
        ]
    return [
        f"{sight.service}: {describe_change(c)}, which is not a sure change"
        for c in sight.comparisons
        if c.effect is not Effect.improved
    ]


def _traffic(sight: Sight) -> float | None:
    """Requests after in units of requests before; None without HTTP."""
    if not sight.requests_during or sight.requests_after is None:
        return None
    return sight.requests_after / sight.requests_during


def describe_change(comparison: Comparison) -> str:
    """``5xx 61 % (55…67) before, 0 % (0…0.4) after``."""
    sides = (("before the fix", comparison.during), ("after it", comparison.after))
    parts = []
    for side, reading in sides:
        if reading is None:
            parts.append(f"not measured {side}")
        else:
            span = f"{render_number(reading.low)}…{render_number(reading.high)}"
            parts.append(f"{render_number(reading.value)} {comparison.unit} ({span}) {side}")
    return f"{comparison.name} {', '.join(parts)}"


def render_number(value: float) -> str:
    """Three digits are enough."""
    if abs(value) >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0")


def _commit(deployment: Deployment) -> str:
    return deployment.commit[:7] if deployment.commit else "no commit"
