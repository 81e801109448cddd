"""Slow requests: over a level, or far above what the service itself is used to."""

from __future__ import annotations

import numpy as np

from autofix.detect.entries import (
    FULL,
    LONG,
    SHORT,
    SHORT_SHARE,
    Entries,
    calm,
    enough_requests,
    in_rows,
    sustained,
    window_sums,
)
from autofix.detect.grid import Array, Flags
from autofix.detect.hits import Hit
from autofix.detect.normal import like_traffic, look_before, quantile, smooth
from autofix.detect.onset import find_onset
from autofix.detect.view import View
from autofix.models import Pattern, Severity, Signal

_EXIT = 0.7
"""Share of the warning level below which latency is calm."""
_NEW = 0.7
"""Before the run latency was at most this share of what it is, or it is the service's nature."""
_NEW_AT_LOW_TRAFFIC = 0.85
"""The same share for nearly all that was measured before, where there are few requests."""
_NEARLY_ALL = 0.98
_FLOOR = 0.25
"""Share of the warning level below which nobody suffers, however much slower it has become."""
_BEYOND = 1.4
"""A step is this much above nearly all that was measured before."""
_LOW_TRAFFIC = 3
"""Multiple of the least number of requests up to which two windows are looked at."""


def judge_latency(view: View) -> list[Hit]:
    """Slow services."""
    values, (warning, critical) = view.fine.p95, view.levels("latency_p95_ms")
    if np.isnan(values).all():
        return []
    over_warning = _entries(view, values, warning)
    over_critical = _entries(view, values, critical, is_critical=True)
    over_floor = _entries(view, values, _FLOOR * warning)
    is_calm = calm(values, _EXIT * warning)
    is_calm_at_floor = calm(values, _EXIT * _FLOOR * warning)
    hits: list[Hit] = []
    for row in np.flatnonzero(over_floor.entered | over_critical.entered).tolist():
        if over_critical.entered[row] and not is_calm[row]:
            hits.append(
                _level(view, row, over_critical, float(critical[row, 0]), Severity.critical)
            )
        elif over_warning.entered[row] and not is_calm[row] and _is_new(view, row, over_warning):
            hits.append(_level(view, row, over_warning, float(warning[row, 0]), Severity.warning))
        elif not is_calm_at_floor[row]:
            step = _step(view, row, over_floor)
            hits += [step] if step else []
    return hits


def _entries(view: View, values: Array, level: Array, *, is_critical: bool = False) -> Entries:
    share, least = view.number("sustained_share"), view.number("min_requests")
    samples = 2 if is_critical else 3
    rows = np.flatnonzero((values >= level).any(axis=1))
    values, requests, least = values[rows], view.fine.requests[rows], least[rows]
    short = np.maximum(share, SHORT_SHARE)
    found: list[tuple[int, Flags]] = []
    for length in (*SHORT, FULL, LONG):
        part: Array = share if length >= FULL else short
        enough = enough_requests(requests, least, length)
        if length == LONG:
            enough &= window_sums(requests, length) < _LOW_TRAFFIC * least
        enough &= sustained(values, level[rows], part[rows], length, samples)
        found.append((length, in_rows(enough, rows, len(level))))
    return Entries(tuple(found))


def _is_new(view: View, row: int, entries: Entries) -> bool:
    """Whether it was faster before; what it always was is its nature, and no incident."""
    if not view.has_baseline:
        return True
    span = entries.newest(row)
    value = quantile(view.fine.p95[row, span], 0.5)
    before = look_before(view, view.coarse.p95[row], 0.8 * value)
    if not before.is_known or before.median > _NEW * value:
        return False
    if (
        np.nansum(view.fine.requests[row, span])
        >= _LOW_TRAFFIC * view.number("min_requests")[row, 0]
    ):
        return True
    # a percentile of few requests jumps
    return quantile(smooth(before.values), _NEARLY_ALL) <= _NEW_AT_LOW_TRAFFIC * value


def _level(view: View, row: int, entries: Entries, level: float, severity: Severity) -> Hit:
    span = entries.newest(row)
    seen = view.fine.p95[row, span]
    value = quantile(seen[seen >= level], 0.5)
    before = look_before(view, view.coarse.p95[row], _EXIT * level)
    return Hit(
        row=row,
        signal=Signal.latency,
        severity=severity,
        value=value,
        threshold=level,
        unit="ms",
        what="p95",
        onset=find_onset(view, row, "p95", _EXIT * level),
        minutes=(span.stop - span.start) * view.fine.step_minutes,
        requests=float(np.nansum(view.fine.requests[row, span])),
        baseline=before.median if before.is_known else None,
    )


def _step(view: View, row: int, entries: Entries) -> Hit | None:
    """Far above its own normal at like traffic, and above nearly all that it ever was."""
    factor = view.thresholds[row].step_factor
    span = entries.newest(row)
    value = quantile(view.fine.p95[row, span], 0.5)
    present = quantile(view.fine.p95[row, -SHORT[0] :], 0.5)
    before = look_before(view, view.coarse.p95[row], value / np.sqrt(factor))
    alike = like_traffic(view, row, before)
    if not before.is_known or not alike.size or np.isnan(present):
        return None
    normal = quantile(alike, 0.5)
    highest = quantile(smooth(before.values), _NEARLY_ALL)
    threshold = max(factor * normal, _BEYOND * highest)
    if min(value, present) < threshold:
        return None
    return Hit(
        row=row,
        signal=Signal.latency,
        severity=Severity.warning,
        pattern=Pattern.step,
        value=value,
        threshold=factor * normal,
        unit="ms",
        what="p95",
        onset=find_onset(view, row, "p95", np.sqrt(value * normal)),
        minutes=(span.stop - span.start) * view.fine.step_minutes,
        requests=float(np.nansum(view.fine.requests[row, span])),
        baseline=normal,
    )
