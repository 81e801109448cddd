"""What the rules share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import timedelta

from autofix.investigate.facts import Facts, Kept
from autofix.models import Finding, Pattern, Severity, Signal, Verdict, VerdictKind

USE = frozenset({Signal.cpu, Signal.memory})
"""High use alone: maybe the service is just successful."""
_SERVED_LONG = timedelta(minutes=30)
"""A deployment that served this long without trouble was fine."""
_SOON = timedelta(minutes=10)
"""What breaks this soon after a deployment broke with it."""
_FULL = 90.0
"""Percent of a limit from which the next peak does not fit."""
CRITICAL_FILL = 95.0
HEADROOM = 0.7
"""A raised limit leaves the peak at this share of it."""


Cite = Callable[..., tuple[str, ...]]
"""Ids of the evidence items of some sources."""
Rule = Callable[[Facts, Cite], Verdict | None]
"""A verdict, or None when the rule has nothing to say."""


def signals(facts: Facts) -> set[Signal]:
    """What is in trouble."""
    return {f.signal for f in facts.incident.findings}


def reasons(facts: Facts) -> str:
    """What the detector said, in one line."""
    return "; ".join(f.reason for f in facts.incident.findings)


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, each once."""
    return ", ".join(dict.fromkeys(names))


def is_full(finding: Finding) -> bool:
    """Whether so much of a limit is used that the next peak does not fit."""
    return finding.unit == "%" and finding.value >= _FULL


def has_trend(facts: Facts, signal: Signal) -> bool:
    """Whether a signal is on its way to its limit: a leak."""
    return any(f.signal is signal and f.pattern is Pattern.trend for f in facts.incident.findings)


def suspect_deployment(facts: Facts) -> Finding | None:
    """The finding that says: since this deployment, and not before it."""
    changes = facts.changes
    if changes is None or changes.live is None or changes.previous is None:
        return None
    if changes.kept is Kept.all or changes.served_for is None or changes.served_for < _SERVED_LONG:
        return None
    for finding in facts.incident.findings:
        hurts = finding.signal not in USE or finding.severity is Severity.critical
        since = (
            finding.deployment_id == changes.live.id and finding.signal is not Signal.build_failure
        )
        if hurts and since and _changed(finding, finding.onset - changes.live.created_at):
            return finding
    return None


def _changed(finding: Finding, gap: timedelta) -> bool:
    """Whether it was fine before, by the service's own normal; unknown is enough for a count."""
    if finding.baseline is None:
        return finding.pattern is Pattern.counted and gap <= _SOON
    was_fine = finding.baseline < finding.threshold <= finding.value
    return was_fine and (finding.pattern is Pattern.step or gap <= _SOON)


def raise_memory(facts: Facts, cite: Cite, why: str) -> Verdict:
    """More memory, and how much."""
    resources, name = facts.resources, facts.incident.service.name
    action = f"raise the memory limit of {name}"
    if resources and resources.peak_memory_gb and resources.memory_limit_gb:
        wanted = round_up(
            1000 * max(resources.peak_memory_gb, resources.memory_limit_gb) / HEADROOM
        )
        action += f" from {1000 * resources.memory_limit_gb:,.0f} to {wanted:,.0f} MB"
    return Verdict(
        kind=VerdictKind.raise_limit,
        reason=f"{reasons(facts)}; {why}",
        action=action,
        evidence=cite("metrics", "deployment log"),
    )


def full_volume(facts: Facts, cite: Cite) -> Verdict | None:
    """A volume that is nearly full is grown first, whatever fills it."""
    disk = [f for f in facts.incident.findings if f.signal is Signal.disk]
    resources = facts.resources
    if not disk or resources is None or resources.volume is None or not resources.volume_size_mb:
        return None
    fill = 100 * resources.volume_used_mb / resources.volume_size_mb
    alone = signals(facts) <= {Signal.disk, *USE}
    if not alone and fill < CRITICAL_FILL:
        return None
    wanted = round_up(resources.volume_used_mb / HEADROOM)
    left = next((f.hours_left for f in disk if f.hours_left is not None), None)
    soon = f", full in {left:.1f} h" if left is not None else ""
    return Verdict(
        kind=VerdictKind.raise_limit,
        reason=f"volume {resources.volume} is {fill:.0f} % full{soon}: "
        f"{resources.volume_used_mb:,.0f} of {resources.volume_size_mb:,.0f} MB",
        action=f"grow volume {resources.volume} to at least {wanted:,.0f} MB; then see whether what fills "
        "it may be deleted",
        evidence=cite("volumes", "metrics"),
    )


def round_up(megabytes: float) -> float:
    """A size that people choose: steps of 64, 256 or 1,024 MB."""
    step = 64 if megabytes < 1_024 else 256 if megabytes < 4_096 else 1_024  # noqa: PLR2004
    return float(math.ceil(megabytes / step) * step)
