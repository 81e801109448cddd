"""A service's own normal: what a signal was before its present run began."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autofix.detect.course import stride_of
from autofix.detect.grid import Array
from autofix.detect.view import KNOWN, View

_LIKE = 0.5
"""Share of today's traffic that a step must have had to be compared with."""
_FEW = 6


@dataclass(frozen=True)
class Before:
    """One signal of one service before its present run at a level."""

    start: int
    """Coarse step at which the run begins."""
    values: Array
    """What was measured before it, NaN elsewhere."""
    hours: float
    """How much of it was measured."""

    @property
    def is_known(self) -> bool:
        """Whether it is enough to say what was normal."""
        return self.hours >= KNOWN.total_seconds() / 3600

    @property
    def median(self) -> float:
        """The middle; NaN when nothing was measured."""
        return quantile(self.values, 0.5)


def look_before(view: View, values: Array, level: float) -> Before:
    """What a coarse signal of one service was before its present run at or above a level.

    Args:
        view: the tick.
        values: of one service, one number a coarse step.
        level: what counts as belonging to the run; a gap does not end it.
    """
    start = run_start(smooth(values), level)
    earlier = values[:start]
    seen = ~np.isnan(earlier)
    stride = stride_of(~np.isnan(values[None]))[0, :start]
    hours = float((seen * stride).sum()) * view.coarse.step_minutes / 60
    return Before(start, earlier, hours)


def like_traffic(view: View, row: int, before: Before) -> Array:
    """What was measured before at traffic like that of the last window, or busier."""
    traffic = view.coarse.per_minute[row]
    present = quantile(traffic[view.past :], 0.5)
    alike = traffic[: before.start] >= _LIKE * present
    values = before.values[alike & ~np.isnan(before.values)]
    return values if len(values) >= _FEW else np.zeros(0)


def run_start(values: Array, level: float) -> int:
    """The first step from which on everything that was measured is at the level or above."""
    below = np.flatnonzero(values < level)
    return int(below[-1]) + 1 if below.size else 0


def smooth(values: Array) -> Array:
    """Each step as the median of itself and its neighbours; a single outlier disappears."""
    padded = np.concatenate([[np.nan], values, [np.nan]])
    low, middle, high = np.sort(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    # what was not measured is sorted to the end
    median = np.where(np.isnan(high), np.where(np.isnan(middle), low, (low + middle) / 2), middle)
    return np.where(np.isnan(values), np.nan, median)


def quantile(values: Array, q: float) -> float:
    """Of what was measured; NaN when nothing was."""
    seen = values[~np.isnan(values)]
    return float(np.quantile(seen, q)) if seen.size else float("nan")
