"""Use of CPU, memory and disk against their limits.

High use by itself is pressure: maybe the service is just successful. It is trouble when something
suffers from it, or when next to nothing is left and it was not always so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autofix.detect.entries import FULL, SHORT, SHORT_SHARE, Entries, calm, in_rows, sustained
from autofix.detect.grid import Array
from autofix.detect.hits import Hit
from autofix.detect.normal import look_before, quantile
from autofix.detect.onset import Name, find_onset
from autofix.detect.view import View
from autofix.models import ServiceKind, Severity, Signal

_EXIT = 0.9
"""Share of a level below which use is calm."""
_SUFFERING = frozenset({Signal.http_5xx, Signal.latency, Signal.crash_loop, Signal.log_errors})
_NEW = 0.85
"""Before the run use was at most this share of what it is."""
_SLOWER = 2.5
"""Multiple of its own normal at which latency shows that a service has no CPU left."""
_GROWTH = 72
"""Coarse steps over which a volume's growth is looked at."""
_FULL_WITHIN = 48.0
"""Hours within which a volume that is nearly full will be full."""
_FLOOR_MS = 0.25
"""Share of the warning level of latency below which nobody suffers."""


def judge_use(view: View, others: Sequence[Hit]) -> list[Hit]:
    """CPU and memory at their levels.

    Args:
        view: the tick.
        others: what was found of other signals; use that goes with them is trouble.
    """
    suffering = {hit.row for hit in others if hit.suffers and hit.signal in _SUFFERING}
    return [*_judge_cpu(view, suffering), *_judge_memory(view, suffering)]


def _judge_cpu(view: View, suffering: set[int]) -> list[Hit]:
    hits = []
    for hit in _pressure(view, "cpu", Signal.cpu, "CPU"):
        critical = hit.severity is Severity.critical
        alone = view.services[hit.row].kind is ServiceKind.database and _is_new(view, hit, "cpu")
        if hit.row in suffering or (critical and (alone or _slower(view, hit.row))):
            hits.append(hit)
        else:
            hits.append(_only_pressure(view, hit, "cpu_percent"))
    return hits


def _judge_memory(view: View, suffering: set[int]) -> list[Hit]:
    hits = []
    _, critical = view.levels("memory_percent")
    for hit in _pressure(view, "memory", Signal.memory, "memory"):
        full = float(critical[hit.row, 0] + 100) / 2
        if hit.row in suffering or (hit.value >= full and _is_new(view, hit, "memory")):
            hits.append(hit)
        else:
            hits.append(_only_pressure(view, hit, "memory_percent"))
    return hits


def _pressure(view: View, name: Name, signal: Signal, what: str) -> list[Hit]:
    """Use at a level for a share of the window, as if every level were trouble."""
    values, (warning, critical) = getattr(view.fine, name), view.levels(f"{name}_percent")
    over_warning, over_critical = _entries(view, values, warning), _entries(view, values, critical)
    is_calm = calm(values, _EXIT * warning)
    return [
        _level(view, row, name, signal, what, over_critical, critical, Severity.critical)
        if over_critical.entered[row]
        else _level(view, row, name, signal, what, over_warning, warning, Severity.warning)
        for row in np.flatnonzero(over_warning.entered & ~is_calm).tolist()
    ]


def _entries(view: View, values: Array, level: Array) -> Entries:
    share = view.number("sustained_share")
    rows = np.flatnonzero((values >= level).any(axis=1))
    found = []
    for length, part in ((SHORT[-1], np.maximum(share, SHORT_SHARE)), (FULL, share)):
        flags = sustained(values[rows], level[rows], part[rows], length)
        found.append((length, in_rows(flags, rows, len(level))))
    return Entries(tuple(found))


def _level(
    view: View,
    row: int,
    name: Name,
    signal: Signal,
    what: str,
    entries: Entries,
    levels: Array,
    severity: Severity,
) -> Hit:
    level = float(levels[row, 0])
    span = entries.newest(row)
    seen = getattr(view.fine, name)[row, span]
    before = look_before(view, getattr(view.coarse, name)[row], _EXIT * level)
    return Hit(
        row=row,
        signal=signal,
        severity=severity,
        value=quantile(seen[seen >= level], 0.5),
        threshold=level,
        unit="%",
        what=what,
        onset=find_onset(view, row, name, _EXIT * level),
        minutes=(span.stop - span.start) * view.fine.step_minutes,
        baseline=before.median if before.is_known else None,
        detail="of its limit",
    )


def _only_pressure(view: View, hit: Hit, levels: str) -> Hit:
    """A warning: high use that nothing suffers from."""
    warning = float(view.levels(levels)[0][hit.row, 0])
    changed = {"severity": Severity.warning, "threshold": warning, "suffers": False}
    return Hit(**{**vars(hit), **changed})


def _is_new(view: View, hit: Hit, name: Name) -> bool:
    """Whether it was clearly lower before; unknown is no."""
    before = look_before(view, getattr(view.coarse, name)[hit.row], 0.95 * hit.value)
    return before.is_known and before.median <= _NEW * hit.value


def _slower(view: View, row: int) -> bool:
    """Whether requests take far longer than before its CPU was used up, at whatever traffic."""
    warning, _ = view.levels("latency_p95_ms")
    _, critical = view.levels("cpu_percent")
    present = quantile(view.fine.p95[row, -FULL:], 0.5)
    if not present >= _FLOOR_MS * warning[row, 0]:
        return False
    run = look_before(view, view.coarse.cpu[row], _EXIT * float(critical[row, 0]))
    normal = quantile(view.coarse.p95[row, : run.start], 0.5)
    return run.is_known and present >= _SLOWER * normal


def judge_disk(view: View) -> list[Hit]:
    """Volumes by how full they are at the last sample.

    Next to full is trouble; filled for long and hardly growing is pressure.
    """
    values, (warning, critical) = view.fine.disk, view.levels("disk_percent")
    seen = ~np.isnan(values)
    last = np.where(seen, np.arange(values.shape[1]), 0).max(axis=1)
    fill = np.take_along_axis(values, last[:, None], axis=1)
    hits = []
    for row in np.flatnonzero((fill >= warning)[:, 0]).tolist():
        value = float(fill[row, 0])
        is_critical = bool(value >= critical[row, 0])
        level = float((critical if is_critical else warning)[row, 0])
        hits.append(
            Hit(
                row=row,
                signal=Signal.disk,
                severity=Severity.critical if is_critical else Severity.warning,
                value=value,
                threshold=level,
                unit="%",
                what="volume",
                onset=find_onset(view, row, "disk", level),
                detail="full",
                suffers=is_critical or _fills_up(view, row, value),
            )
        )
    return hits


def _fills_up(view: View, row: int, value: float) -> bool:
    """Whether it would be full within two days as it grew over the last hours."""
    earlier = view.coarse.disk[row, -_GROWTH:]
    place = np.flatnonzero(~np.isnan(earlier))
    if len(place) < 2:  # noqa: PLR2004
        return False
    hours = (len(earlier) - place[0]) * view.coarse.step_minutes / 60
    grown = value - quantile(earlier[place[:3]], 0.5)
    return hours >= 1 and grown > 0 and (100 - value) / grown * hours <= _FULL_WITHIN
