"""Something to change that is not code: a deployment, a limit, replicas."""

from __future__ import annotations

import math
from datetime import timedelta

from autofix.investigate.facts import ChangeFacts, Facts, Kept, Peer, Shape
from autofix.investigate.rules.common import (
    Cite,
    has_trend,
    is_full,
    listed,
    raise_memory,
    reasons,
    signals,
    suspect_deployment,
)
from autofix.models import Deployment, Signal, Verdict, VerdictKind

_ENDED = 2
"""Restarts from which it is no accident."""
_AT_LIMIT = 0.95
"""Share of the memory limit that was reached before it was ended."""
_GROWN = 1.5
"""Traffic has grown when it is this many times the usual."""


def rollback(facts: Facts, cite: Cite) -> Verdict | None:
    """It changed right after a deployment, and the one before was fine."""
    suspect = suspect_deployment(facts)
    changes = facts.changes
    if suspect is None or changes is None or changes.live is None or changes.previous is None:
        return None
    previous = changes.previous
    gap = suspect.onset - changes.live.created_at
    what = _what_changed(changes)
    target = _deployment(previous, by_commit=changes.kept is not Kept.code)
    how = f"roll back to {target}"
    if changes.can_roll_back is False:
        how = f"its image is gone: redeploy {target}"
    if changes.kept is Kept.code:
        how = f"set back {listed(changes.changed_settings)}, or {how}"
    return Verdict(
        kind=VerdictKind.rollback,
        reason=f"{suspect.reason}; it began {_minutes(gap)} {_deployment(changes.live)} was deployed, and "
        f"the one before served {_span(changes.served_for)} without it. {what}",
        action=f"{facts.incident.service.name}: {how}; then look at what it changed",
        evidence=cite("deployments", "diff", "metrics"),
    )


def working_set(facts: Facts, cite: Cite) -> Verdict | None:
    """It is ended again and again at its memory limit, and does not grow: it needs more."""
    resources = facts.resources
    if Signal.crash_loop not in signals(facts) or resources is None:
        return None
    if resources.memory is not Shape.flat or (resources.restarts or 0) < _ENDED:
        return None
    if not resources.peak_memory_gb or not resources.memory_limit_gb:
        return None
    if resources.peak_memory_gb < _AT_LIMIT * resources.memory_limit_gb:
        return None
    if has_trend(facts, Signal.memory) or (facts.logs and facts.logs.frames):
        return None
    return raise_memory(facts, cite, "it restarts at its limit and does not grow in between")


def replicas(facts: Facts, cite: Cite) -> Verdict | None:
    """It is asked more than usual, its CPU is at its limit, and nothing else explains it."""
    resources, service = facts.resources, facts.incident.service
    cpu = [f for f in facts.incident.findings if f.signal is Signal.cpu and is_full(f)]
    if not cpu or not signals(facts) & {Signal.latency, Signal.http_5xx} or resources is None:
        return None
    grown = resources.traffic_factor is not None and resources.traffic_factor >= _GROWN
    waits = any(_is_busy(p) for p in facts.peers if not p.is_caller)
    broken = bool(facts.logs and facts.logs.frames)
    if not grown or waits or broken or has_trend(facts, Signal.memory):
        return None
    factor = f"it is asked {resources.traffic_factor:.1f} times its usual rate"
    if resources.volume is not None:
        return Verdict(
            kind=VerdictKind.raise_limit,
            reason=f"{factor}, and its CPU is at its limit; with a volume it cannot have replicas",
            action=f"raise the CPU limit of {service.name}"
            + (
                f" from {resources.cpu_limit:g} to {2 * resources.cpu_limit:g} vCPU"
                if resources.cpu_limit
                else ""
            ),
            evidence=cite("metrics", "http log", "volumes"),
        )
    wanted = service.replicas + max(
        1, math.ceil(service.replicas * (resources.traffic_factor or 1) / 2)
    )
    return Verdict(
        kind=VerdictKind.scale_replicas,
        reason=f"{factor}, and its CPU is at its limit: {reasons(facts)}",
        action=f"run {wanted} replicas of {service.name} instead of {service.replicas}",
        evidence=cite("metrics", "http log"),
    )


def _is_busy(peer: Peer) -> bool:
    """Whether what it queries has no CPU or memory left."""
    return peer.at_limit or any(is_full(f) for f in peer.findings)


def _what_changed(changes: ChangeFacts) -> str:
    if changes.kept is Kept.code:
        return f"The code is the same; {listed(changes.changed_settings)} differ."
    names = listed(changes.changed_settings)
    return f"With it {names} changed too." if names else "Its code changed."


def _deployment(deployment: Deployment, *, by_commit: bool = True) -> str:
    commit = deployment.commit if by_commit else None
    name = f"commit {commit[:12]}" if commit else f"deployment {deployment.id}"
    return f"{name} of {deployment.created_at:%Y-%m-%d %H:%M} UTC"


def _minutes(gap: timedelta) -> str:
    minutes = round(gap.total_seconds() / 60)
    return "right when" if minutes <= 0 else f"{minutes} min after"


def _span(length: timedelta | None) -> str:
    if length is None:
        return "before"
    hours = length.total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"  # noqa: PLR2004
