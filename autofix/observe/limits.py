"""What Railway's API is known to bear, and the sample step that stays within it.

The numbers are not documented; they come from public clients and from failures they report, so
they are passed to the client like settings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from autofix.models import Window

NETWORK = ("NETWORK_RX_GB", "NETWORK_TX_GB")
USAGE = ("CPU_USAGE", "MEMORY_USAGE_GB")
LIMITS = ("CPU_LIMIT", "MEMORY_LIMIT_GB")
DISK = ("DISK_USAGE_GB",)
TICK_STEPS = (30, 60, 90, 120, 180, 240, 300)
"""Seconds between two samples of a tick, smallest first."""
BASELINE_STEPS = (300, 600, 900, 1800, 3600)
"""Seconds between two samples of a baseline, smallest first."""


@dataclass(frozen=True)
class ApiLimits:
    """How much is asked for at once."""

    selections: int = 500
    """Selected fields of one query."""
    aliases: int = 20
    """Aliased fields of one query."""
    points: int = 30_000
    """Metric points of one answer."""
    log_rows: int = 5_000
    """Rows of one log."""
    log_pages: int = 4
    """Pages of a log whose rows are counted; beyond them the rest is said to be uncounted."""
    page: int = 500
    """Items of one page of a connection."""
    pages: int = 20
    """Pages of a connection; more of them are an error."""
    requests_per_second: float = 10
    """The smallest paid plan's rate."""
    workers: int = 6
    """Requests under way at the same time."""
    answer_bytes: int = 64_000_000
    """One answer, decoded; a longer one is refused."""

    def batch(self, aliases: int, selections: int, points: int = 0) -> int:
        """Services a request, when each costs this many aliases, selections and points."""
        by_points = self.points // points if points else self.aliases
        return max(1, min(self.aliases // aliases, self.selections // selections, by_points))


@dataclass(frozen=True)
class Sampling:
    """What is asked of the metrics, and how often."""

    step: timedelta
    measurements: tuple[str, ...]
    windows: int = 1
    """Requests that the window is cut into, so that each answer stays within the points."""

    def cut(self, window: Window) -> Iterator[Window]:
        """The window in parts of whole steps."""
        steps = math.ceil(window.length / self.step)
        size = math.ceil(steps / self.windows) * self.step
        start = window.start
        while start < window.end:
            end = min(window.end, start + size)
            yield Window(start=start, end=end)
            start = end


def choose_sampling(
    services: int,
    volumes: int,
    window: Window,
    step: timedelta | None,
    limits: ApiLimits,
    steps: tuple[int, ...] = TICK_STEPS,
) -> Sampling:
    """The smallest step whose points fit into one answer, without network rather than longer.

    Without any such step the longest one is taken and the window is cut into several requests.

    Args:
        services: how many services the environment has; the metrics cover all of them.
        volumes: how many of them have a volume.
        window: what is looked at.
        step: the step, when a person chose it; then only network and the cut adapt.
        limits: what one answer may hold.
        steps: the steps in seconds that may be chosen.
    """
    with_disk = (*USAGE, *LIMITS, *(DISK if volumes else ()))
    base = services * len((*USAGE, *LIMITS)) + volumes
    full = base + services * len(NETWORK)
    chosen = [step] if step else [timedelta(seconds=s) for s in steps]
    for candidate in chosen:
        points = math.ceil(window.length / candidate)
        if full * points <= limits.points:
            return Sampling(candidate, (*with_disk, *NETWORK))
        if base * points <= limits.points:
            return Sampling(candidate, with_disk)
    longest = chosen[-1]
    parts = math.ceil(base * math.ceil(window.length / longest) / limits.points)
    return Sampling(longest, with_disk, parts)
