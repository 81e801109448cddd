"""Traffic that is gone: counted zeros where there was steady traffic. A gap is never silence."""

from __future__ import annotations

import numpy as np

from autofix.detect.course import Course
from autofix.detect.grid import Array
from autofix.detect.hits import Hit
from autofix.detect.normal import quantile
from autofix.detect.view import WINDOW, View
from autofix.models import Pattern, Severity, Signal

_GONE = 0.04
"""Share of the expected traffic below which it is gone."""
_COVERED = 0.6
"""Share of the window in which requests must have been counted."""
_BEFORE = 120.0
"""Minutes before the silence from which the expected traffic is told."""
_EXPECTED = 60.0
"""Requests that were to be expected in the silence."""
_STEADY = 0.9
"""Share of the steps before that had traffic."""
_LONGEST_WAIT = 4.0
"""At night traffic must be gone for up to so many windows."""
_FEW = 4


def judge_silence(view: View) -> list[Hit]:
    """Services that nobody reaches any more."""
    fine = _per_minute(view, view.fine)[:, -WINDOW:]
    coarse = _per_minute(view, view.coarse)
    measured = ~np.isnan(fine)
    covered = measured.sum(axis=1) > 0
    covered &= _counted_share(view, measured) >= _COVERED
    usual = np.nan_to_num(coarse).max(axis=1, initial=0.0)
    present = np.nan_to_num(fine).sum(axis=1) / np.maximum(measured.sum(axis=1), 1)
    quiet = np.flatnonzero(covered & view.known & (present <= _GONE * usual) & (usual > 0))
    found = [_judge(view, int(row), coarse[row]) for row in quiet]
    return [hit for hit in found if hit is not None]


def _per_minute(view: View, course: Course) -> Array:
    """Requests a minute; zero after the last of them where they would have been counted."""
    rate = course.per_minute
    rows = [row for row, service in enumerate(view.services) if service.id in view.counted]
    if not rows:
        return rate
    rate = rate.copy()
    for row in rows:
        counted = np.flatnonzero(~np.isnan(rate[row]))
        apart = float(np.nanmax(course.request_minutes[row][counted], initial=course.step_minutes))
        first = counted[-1] + 1 + round(apart / course.step_minutes) if counted.size else 0
        after = np.arange(course.length) >= first
        rate[row, after & course.measured[row] & np.isnan(rate[row])] = 0.0
    return rate


def _counted_share(view: View, measured: Array) -> Array:
    """Of how much of the window the counts are, where samples may be further apart than steps."""
    minutes = np.maximum(view.fine.request_minutes[:, -WINDOW:], view.fine.step_minutes)
    share: Array = np.where(measured, minutes, 0.0).sum(axis=1) / (WINDOW * view.fine.step_minutes)
    return share


def _judge(view: View, row: int, rate: Array) -> Hit | None:
    first = _silence_begins(rate)
    if first is None:
        return None
    step = view.coarse.step_minutes
    width = max(_FEW, round(_BEFORE / step))
    expected = _expected(rate[max(0, first - width) : first])
    if expected is None or 2 * _longest_pause(rate[:first], _GONE * expected) > len(rate) - first:
        return None
    minutes = (len(rate) - first) * step
    present = float(np.nanmean(rate[first:]))
    # at night, when little is expected, a pause is more often meant
    night = float(np.clip(np.nanmean(rate[:first]) / expected, 1, _LONGEST_WAIT))
    wait = view.window.length.total_seconds() / 60 * night
    # the first of these steps may still hold some requests, and the last may not be over
    too_short = minutes + 2 * step < wait or expected * minutes < _EXPECTED
    if too_short or present > _GONE * expected:
        return None
    return Hit(
        row=row,
        signal=Signal.silence,
        severity=Severity.critical,
        pattern=Pattern.step,
        value=present,
        threshold=_GONE * expected,
        unit="requests/min",
        what="traffic",
        onset=view.coarse_time(float(first)),
        minutes=minutes,
        baseline=expected,
    )


def _silence_begins(rate: Array) -> int | None:
    """The first step of the present silence."""
    loud = np.flatnonzero(rate > 2 * _GONE * quantile(rate, 0.9))
    if not loud.size or loud[-1] + 1 >= len(rate):
        return None
    return int(loud[-1]) + 1


def _expected(before: Array) -> float | None:
    """Requests a minute to be expected after these steps, if they were steady."""
    seen = np.flatnonzero(~np.isnan(before))
    if len(seen) < max(_FEW, _COVERED * len(before)) or (before[seen] > 0).mean() < _STEADY:
        return None
    slope, level = np.polyfit(seen.astype("float64"), before[seen], 1)
    # as the line goes on for a quarter of an hour, and no more than lately
    ahead = float(level + slope * len(before) * 9 / 8)
    expected = min(ahead, quantile(before[-_FEW:], 0.5))
    return expected if expected > 0 else None


def _longest_pause(rate: Array, level: float) -> int:
    """The longest run of steps that were as silent."""
    silent = (rate <= level) & ~np.isnan(rate)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], silent, [False]]).astype(int)))
    lengths = edges[1::2] - edges[::2]
    return int(lengths.max()) if lengths.size else 0
