"""Not ours to fix: a provider or the platform is in trouble."""

from __future__ import annotations

from autofix.investigate.facts import Facts, Upstream
from autofix.investigate.rules.common import Cite, signals
from autofix.models import Signal, Verdict, VerdictKind

_NAMED = 3
"""Errors or failed look-ups that must name a provider before its trouble explains ours."""
_SHARE = 0.2
"""Of the errors, how many must name it."""
_OTHERS = 2
"""Other services in trouble since the same time, from which the platform's trouble explains ours."""


def upstream(facts: Facts, cite: Cite) -> Verdict | None:
    """Its own errors or look-ups name a provider that says it is in trouble."""
    for upstream in facts.upstreams:
        if upstream.incident is None or not _explains(facts, upstream):
            continue
        since = f"{upstream.incident_since:%Y-%m-%d %H:%M} UTC" if upstream.incident_since else "?"
        guard = ""
        if upstream.has_guard is False:
            guard = (
                f" The code that calls {upstream.name} names no timeout: bounding the call is worth a "
                "fix of its own, whatever the provider does."
            )
        return Verdict(
            kind=VerdictKind.wait_upstream,
            reason=f"{upstream.name} has an unresolved incident since {since}: {upstream.incident}; "
            f"{upstream.how[0]}.{guard}",
            action=f"wait, and follow {upstream.incident_url or upstream.page or 'its status page'}",
            evidence=cite("upstreams", "deployment log", "dns"),
        )
    return None


def platform(facts: Facts, cite: Cite) -> Verdict | None:
    """Railway says it is in trouble, and ours is not alone, or is a build."""
    if facts.platform is None:
        return None
    others = {f.service_id for f in facts.neighbours}
    builds = Signal.build_failure in signals(facts)
    if len(others) < _OTHERS and not builds:
        return None
    with_us = f"{len(others)} other services since the same time" if others else "a build failed"
    return Verdict(
        kind=VerdictKind.wait_upstream,
        reason=f"Railway says: {facts.platform}; {with_us}",
        action="wait, and follow https://status.railway.com",
        evidence=cite("platform", "neighbours", "build log"),
    )


def _explains(facts: Facts, upstream: Upstream) -> bool:
    """Whether enough of what goes wrong names the provider."""
    if upstream.failed_lookups >= _NAMED:
        return True
    errors = facts.logs.errors if facts.logs else 0
    return upstream.errors >= max(_NAMED, _SHARE * errors)
