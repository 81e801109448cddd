"""Leaks and volumes that fill up: a rise that reaches the limit within hours.

A rise is no leak when traffic explains it, when it slows down as a cache does that fills, or when
it only comes back to where it was before. A line through the past says how long is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from autofix.detect.course import stride_of
from autofix.detect.grid import Array, Flags, Ints
from autofix.detect.hits import Hit
from autofix.detect.lines import Lines, Sketch, bend_of, fit_lines, sketch_lines
from autofix.detect.normal import quantile, run_start, smooth
from autofix.detect.view import View
from autofix.models import Pattern, Severity, Signal

_ENDS = (0, 2, 4, 6, 8, 10, 12, 15, 18, 21, 24)
"""Coarse steps back at which a trend may have been seen and still counts."""
_RISE = 3.0
"""Percent of the limit by which it must have risen over the length."""
_DROP, _SMALL_DROP = 0.3, 0.1
"""Shares by which use falls when a process begins anew, for sure and perhaps."""
_NEARLY = 95.0
"""Percent of the limit that a rise which slows down must still reach."""
_ABOVE = 1.0
"""Percent of the limit by which it must stand above what was seen before."""
_NEVER_NORMAL = 85.0
"""What was seen above this is not taken for normal."""
_FALLEN = 5.0
"""Percent of the limit below the line at which a trend is over."""
_SMOOTH = 9
_FEW = 12
_CRITICAL = 1 / 3
"""Share of the hours to the limit within which a trend is critical."""
_SHORT_RECORD = 36
"""Coarse steps of history in which a sawtooth need not have come to its mean."""
_LONG_RECORD = 96
"""Coarse steps of history in which the beginning of a rise need not be seen."""
_BEGUN = 0.15
"""Share of a rise at which it is told from noise."""
_ROUNDING = 1e-3
"""Percent of the limit that running sums may be wrong by."""
_BEFORE = 24
"""Coarse steps before a line in which the rise may have begun."""


@dataclass(frozen=True)
class Length:
    """Over how many coarse steps a line is drawn, and what it must be like."""

    steps: int
    certain: float
    """Least slope by its standard error."""
    share: float = 1.0
    """Of the hours to the limit within which it must be reached."""


LENGTHS = (
    Length(72, certain=8),
    Length(36, certain=8),
    Length(18, certain=10),
    Length(12, certain=12),
    Length(9, certain=14),
    Length(6, certain=20, share=1 / 3),
)
"""Six hours to half an hour, at steps of five minutes."""


@dataclass(frozen=True)
class _Trend:
    """What was seen of one service."""

    slope: float
    """Percent of the limit per coarse step."""
    level: float
    steps: int
    back: int


def judge_trends(view: View) -> list[Hit]:
    """Leaks of memory and volumes that fill up."""
    nothing = np.full(view.coarse.grid.shape, np.nan)
    return [
        *_judge(view, view.coarse.memory, _load(view), Signal.memory, "memory"),
        *_judge(view, view.coarse.disk, nothing, Signal.disk, "volume"),
    ]


def _load(view: View) -> Array:
    """What a service has to do: requests, or its CPU where there are none."""
    requests = view.coarse.per_minute
    by_requests = (~np.isnan(requests)).sum(axis=1) * 2 >= view.coarse.measured.sum(axis=1)
    load: Array = np.where(by_requests[:, None], requests, view.coarse.cpu)
    return load


def _judge(view: View, values: Array, load: Array, signal: Signal, what: str) -> list[Hit]:
    rows = np.flatnonzero((~np.isnan(values)).sum(axis=1) >= _FEW)
    if not rows.size:
        return []
    values, load = values[rows], load[rows]
    stride = stride_of(~np.isnan(values))
    hours = view.number("hours_to_limit")[rows, 0]
    horizon = hours * 60 / view.coarse.step_minutes
    trends: dict[int, _Trend] = {}
    for back, length, rising in _rising(values, load, horizon):
        end = values.shape[1] - back
        part = slice(end - length.steps, end)
        lines = fit_lines(values[rising, part], load[rising, part], stride[rising, part])
        holds = _is_trend(values[rising, :end], lines, length, horizon[rising])
        for i in np.flatnonzero(holds).tolist():
            seen = _Trend(float(lines.slope[i]), float(lines.level[i]), length.steps, back)
            trends.setdefault(int(rising[i]), seen)
    return [
        _hit(view, int(rows[place]), values[place], trend, float(hours[place]), signal, what)
        for place, trend in trends.items()
        if not _is_over(values[place], trend)
    ]


def _rising(values: Array, load: Array, horizon: Array) -> Iterator[tuple[int, Length, Ints]]:
    """Ends and lengths, newest and longest first, and which services may rise to the limit there."""
    steps = values.shape[1]
    kept = min(steps, _ENDS[-1] + LENGTHS[0].steps)
    lines = [
        (back, length)
        for back in _ENDS
        for length in LENGTHS
        if steps - back - length.steps >= _FEW
    ]
    parts = [slice(kept - back - length.steps, kept - back) for back, length in lines]
    sketches = sketch_lines(values[:, -kept:], load[:, -kept:], parts)
    for (back, length), sketch in zip(lines, sketches, strict=True):
        rising = np.flatnonzero(_may_reach(sketch, length, horizon * length.share))
        if rising.size:
            yield back, length, rising


def _may_reach(sketch: Sketch, length: Length, horizon: Array) -> Flags:
    """Whether a line is steep enough with or without its load, give or take a rounding error."""
    reaches = np.zeros(len(horizon), dtype=bool)
    for slope in sketch.slopes:
        with np.errstate(invalid="ignore"):
            end = sketch.mean + slope * (sketch.until_end + horizon)
            reaches |= (slope * length.steps >= _RISE - _ROUNDING) & (end >= 100 - _ROUNDING)
    return reaches


def _is_trend(values: Array, lines: Lines, length: Length, horizon: Array) -> Flags:
    """Which lines are a rise to the limit that nothing else explains.

    Args:
        values: everything that was measured until the end of the lines.
        lines: through the last steps of it.
        length: how long they are, and what is asked of them.
        horizon: steps within which the limit must be reached.
    """
    fitted, before = values[:, -length.steps :], values[:, : -length.steps]
    with np.errstate(invalid="ignore", divide="ignore"):
        left = (100 - lines.level) / lines.slope
        rises = (lines.slope > 0) & (lines.slope * length.steps >= _RISE)
        found = rises & (left <= horizon * length.share) & ~lines.explained
        found &= (lines.certainty >= length.certain) & (lines.level + lines.ahead >= _NEARLY)
    candidates = np.flatnonzero(found)
    for place in candidates:
        found[place] = (
            not _begins_anew(fitted[place])
            and _is_above(before[place], fitted[place])
            and _has_begun(values[place])
        )
    return found


def _begins_anew(fitted: Array) -> bool:
    """Whether use falls on the way as it does when a process begins anew.

    Falls that are not as deep are those of a sawtooth when there are several.
    """
    seen = fitted[~np.isnan(fitted)]
    deep, shallow = (int((seen[1:] < (1 - d) * seen[:-1]).sum()) for d in (_DROP, _SMALL_DROP))
    return deep > 0 or shallow == 1


def _is_above(before: Array, fitted: Array) -> bool:
    """Whether use stands above everything that was normal before; unknown is no."""
    width = min(_SMOOTH, len(fitted))
    is_short = (~np.isnan(before)).sum() < _SHORT_RECORD
    earlier = smooth(before[~np.isnan(before)]) if is_short else _rolling_means(before, width)
    if not earlier.size:
        return False
    recent = fitted[-width:]
    recent = recent[~np.isnan(recent)]
    if not recent.size:
        return False
    highest, now = float(earlier.max()), float(recent.mean())
    return highest >= _NEVER_NORMAL or now >= highest + _ABOVE


def _has_begun(values: Array) -> bool:
    """Whether the beginning of the rise was seen; what always rises may be a slow sawtooth."""
    seen = np.flatnonzero(~np.isnan(values))
    length = len(values) - int(seen[0])
    if length >= _LONG_RECORD:
        return True
    base = quantile(values[seen[:_FEW]], 0.5)
    now = quantile(values[seen[-3:]], 0.5)
    begun = run_start(smooth(values), base + _BEGUN * (now - base))
    return begun - int(seen[0]) >= _FEW


def _rolling_means(values: Array, width: int) -> Array:
    seen = values[~np.isnan(values)]
    if len(seen) < _FEW:
        return np.zeros(0)
    totals = np.concatenate([[0.0], np.cumsum(seen)])
    means: Array = (totals[width:] - totals[:-width]) / width
    return means


def _is_over(values: Array, trend: _Trend) -> bool:
    """Whether use has fallen since to clearly below where the line stood."""
    if not trend.back:
        return False
    since = smooth(values[len(values) - trend.back - 1 :])
    return quantile(since, 0.0) < trend.level - max(_FALLEN, 0.1 * trend.level)


def _hit(
    view: View, row: int, values: Array, trend: _Trend, hours: float, signal: Signal, what: str
) -> Hit:
    minutes = view.coarse.step_minutes
    left = max(0.0, (100 - trend.level) / trend.slope - trend.back) * minutes / 60
    now = quantile(values[-3:], 0.5)
    value = trend.level if np.isnan(now) else now
    _, critical = view.levels(f"{signal.value}_percent")
    is_critical = left <= _CRITICAL * hours or value >= critical[row, 0]
    base = quantile(values[: len(values) - trend.back - trend.steps], 0.5)
    return Hit(
        row=row,
        signal=signal,
        severity=Severity.critical if is_critical else Severity.warning,
        pattern=Pattern.trend,
        value=value,
        threshold=100.0,
        unit="%",
        what=what,
        onset=_onset(view, values, trend),
        minutes=trend.steps * minutes,
        baseline=base,
        hours_left=left,
        detail=f"rises by {trend.slope * 60 / minutes:.1f} % of its limit per hour",
    )


def _onset(view: View, values: Array, trend: _Trend) -> int:
    """Where a level stretch bends into the rise, as far as it was seen."""
    end = len(values) - trend.back
    first = max(0, end - 2 * trend.steps - _BEFORE)
    return view.coarse_time(first + bend_of(values[first:end]))
