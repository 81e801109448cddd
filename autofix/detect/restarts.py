"""Restarts: as the platform counted them, and as memory shows them where nobody counts."""

from __future__ import annotations

import numpy as np

from autofix.detect.grid import LOW, PEAK, Array, Flags
from autofix.detect.hits import Hit
from autofix.detect.lines import fit_lines, running_sums
from autofix.detect.normal import quantile, run_start
from autofix.detect.view import FINE, WINDOW, View
from autofix.models import Pattern, Severity, Signal

_NEAR_LIMIT, _AT_LIMIT = 85.0, 96.0
"""Percent of the limit from which a sudden fall is a kill when it happens again, and at once."""
_FALL = 0.75
"""What is left of the memory after a kill, at most."""
_CLIMB = 3.0
"""Percent of the limit by which memory rose before a kill."""
_CLIMB_STEPS = 4
_CERTAIN = 6.0
"""A slope by its standard error, from which on memory rises again after a kill."""
_DAY = 24 * 60.0
_EMPTY = 0.5
"""What is left of the memory after a restart, at most."""
_BACK = 0.6
"""What is in use again after a restart, at least."""
_DIP, _WHOLE = 0.7, 0.9
"""The same two where a sample in the middle of the restart was missed, as seen when it is over soon."""
_SAME = 0.01
"""Share by which a limit that stays may vary."""
_RARELY, _FRESH = 0.05, 0.85
"""What is in use after a restart, at most, of what nearly always was."""
_HOUR = 60.0
_FEW_HOURS = 2
_RESTARTS, _MANY = 4, 8
"""Restarts within an hour that are a loop, and a bad one."""
_WORN = 90.0


def judge_restarts(view: View) -> list[Hit]:
    """Crash loops; the platform's own count wins where there is one."""
    counted = _judge_counts(view)
    rows = {hit.row for hit in counted}
    known = ~np.isnan(view.fine.restarts[:, -WINDOW:]).all(axis=1)
    rows |= set(np.flatnonzero(known).tolist())
    seen = [hit for hit in _judge_kills(view) if hit.row not in rows]
    rows |= {hit.row for hit in seen}
    return [*counted, *seen, *(hit for hit in _judge_loops(view) if hit.row not in rows)]


def _judge_counts(view: View) -> list[Hit]:
    warning, critical = view.levels("restarts")
    window = view.fine.restarts[:, -WINDOW:]
    total = np.nansum(window, axis=1)
    hits = []
    for row in np.flatnonzero((total >= warning[:, 0]) & (total > 0)).tolist():
        is_critical = bool(total[row] >= critical[row, 0])
        first = int(np.flatnonzero(window[row] > 0)[0])
        hits.append(
            _hit(
                row,
                float(total[row]),
                float((critical if is_critical else warning)[row, 0]),
                view.fine_time(FINE - WINDOW + first),
                minutes=WINDOW * view.fine.step_minutes,
                severity=Severity.critical if is_critical else Severity.warning,
            )
        )
    return hits


def _judge_kills(view: View) -> list[Hit]:
    """Memory that climbs to its limit and falls, again and again."""
    scaled = _rescaled(view.coarse.limit("MEMORY_LIMIT_GB"))
    peak = np.where(scaled, np.nan, view.coarse.memory_peak)
    low = np.where(scaled, np.nan, view.coarse.memory_low)
    near = np.flatnonzero((peak >= _NEAR_LIMIT).any(axis=1)).tolist()
    hits = []
    for row in near:
        memory = view.coarse.memory[row]
        kills = find_kills(peak[row], low[row], memory)
        if not kills.size or not _goes_on(kills, memory, view.coarse.step_minutes):
            continue
        if len(kills) == 1 and np.nanmax(peak[row, kills[0] - 2 : kills[0] + 1]) < _AT_LIMIT:
            continue
        onset = view.coarse_time(float(kills[0]))
        hits.append(
            _hit(
                row,
                float(len(kills)),
                1.0,
                onset,
                minutes=(view.coarse.length - int(kills[0])) * view.coarse.step_minutes,
                severity=Severity.critical,
                detail="each at the limit of its memory",
            )
        )
    return hits


def find_kills(peak: Array, low: Array, mean: Array) -> Array:
    """The steps in which memory, having climbed to near its limit, is suddenly gone."""
    before = np.fmax(peak[:-1], np.concatenate([[np.nan], peak[:-2]]))
    fallen = np.flatnonzero((before >= _NEAR_LIMIT) & (low[1:] <= _FALL * before)) + 1
    kills: list[int] = []
    for step in fallen:
        climb = before[step - 1] - np.nanmin(
            np.append(mean[max(0, step - 1 - _CLIMB_STEPS) : step - 1], np.inf)
        )
        if climb >= _CLIMB and (not kills or step - kills[-1] > 1):
            kills.append(int(step))
    return np.array(kills, dtype="int64")


def _goes_on(kills: Array, memory: Array, minutes: float) -> bool:
    """Whether the last kill is recent, the next is not overdue, or memory rises towards it."""
    since = memory[int(kills[-1]) + 1 :]
    apart = float(np.diff(kills).max()) if len(kills) > 1 else 0.0
    if len(since) * minutes <= max(_HOUR, 1.5 * apart * minutes):
        return True
    line = fit_lines(since[None], np.full((1, len(since)), np.nan), np.ones((1, len(since))))
    climb = line.slope[0] / minutes * _DAY
    return bool(line.certainty[0] >= _CERTAIN and 0 < 100 - line.level[0] <= climb)


def _judge_loops(view: View) -> list[Hit]:
    """Memory that is empty again and again, unlike before: a process that dies and begins anew."""
    emptied = _emptied(view.coarse.memory_peak, view.coarse.memory_low)
    # where a limit was changed, only one of the two falls
    used = view.coarse.grid
    emptied &= _emptied(used.column(PEAK), used.column(LOW))
    emptied &= ~_rescaled(view.coarse.limit("MEMORY_LIMIT_GB"))
    hour = max(1, round(_HOUR / view.coarse.step_minutes))
    hits = []
    for row in np.flatnonzero(_is_loop(emptied, hour) & view.known).tolist():
        first = _run_of_hours(emptied[row], hour)
        if _is_usual(emptied[row], hour) or not _is_fresh(
            used.column(LOW)[row], emptied[row], first
        ):
            continue
        number = int(emptied[row, -hour:].sum())
        hits.append(
            _hit(
                row,
                float(number),
                float(_RESTARTS),
                view.coarse_time(float(first)),
                minutes=_HOUR,
                severity=Severity.critical if number >= _MANY else Severity.warning,
                detail="by its memory",
            )
        )
    return hits


def _is_loop(emptied: Flags, hour: int) -> Flags:
    """Whether there were enough restarts in an hour or a half that ended within the last half."""
    totals = running_sums(emptied)
    is_loop = np.zeros(len(emptied), dtype=bool)
    for end in range(totals.shape[1] - 1, max(0, totals.shape[1] - 1 - hour // 2), -1):
        for length, least in ((hour, _RESTARTS), (hour // 2, _RESTARTS - 1)):
            is_loop |= totals[:, end] - totals[:, max(0, end - length)] >= least
    return is_loop


def _emptied(peak: Array, low: Array) -> Flags:
    """Where memory is suddenly free and soon in use again: most of it, or some and at once."""
    earlier = np.fmax(peak, np.concatenate([np.full((len(peak), 1), np.nan), peak[:, :-1]], axis=1))
    with np.errstate(invalid="ignore"):
        most = (low <= _EMPTY * earlier) & _comes_back(peak, _BACK * earlier, range(3))
        some = (low <= _DIP * earlier) & _comes_back(peak, _WHOLE * earlier, range(1, 2))
        emptied: Flags = most | some
        # of one fall two steps may hold a part
        emptied[:, 1:] &= ~emptied[:, :-1] | (peak >= _WHOLE * earlier)[:, 1:]
    return emptied


def _rescaled(limit: Array) -> Flags:
    """Where the limit is not the same as before and after: replicas come and go."""
    changed = np.abs(np.diff(limit, axis=1)) > _SAME * limit[:, 1:]
    rescaled = np.zeros(limit.shape, dtype=bool)
    rescaled[:, 1:] |= changed
    rescaled[:, :-1] |= changed
    return rescaled


def _is_fresh(low: Array, emptied: Flags, first: int) -> bool:
    """Whether less is in use than nearly ever before: a collected heap has been as small."""
    before = quantile(low[:first], _RARELY)
    now = quantile(low[first:][emptied[first:]], 0.5)
    return bool(now <= _FRESH * before)


def _comes_back(peak: Array, to: Array, steps: range) -> Flags:
    """Whether so much is in use again so many steps on; what sleeps or has ended stays empty."""
    later = np.full(peak.shape, np.nan)
    for ahead in steps:
        end = peak.shape[1] - ahead
        later[:, :end] = np.fmax(later[:, :end], peak[:, ahead:])
    back: Flags = later >= to
    return back


def _is_usual(emptied: Flags, hour: int) -> bool:
    """Whether memory was emptied about as often before the present run of such hours."""
    per_hour = emptied[len(emptied) % hour :].reshape(-1, hour).sum(axis=1)
    before = per_hour[: run_start(per_hour.astype("float64"), 1.0)]
    return len(before) < _FEW_HOURS or bool(np.median(before) >= _RESTARTS / 2)


def _run_of_hours(emptied: Flags, hour: int) -> int:
    """The first restart after which no hour passes without another."""
    places = np.flatnonzero(emptied)
    breaks = np.flatnonzero(np.diff(places) > hour)
    return int(places[breaks[-1] + 1]) if breaks.size else int(places[0])


def _hit(
    row: int,
    number: float,
    threshold: float,
    onset: int,
    *,
    minutes: float,
    severity: Severity,
    detail: str = "",
) -> Hit:
    return Hit(
        row=row,
        signal=Signal.crash_loop,
        severity=severity,
        pattern=Pattern.counted,
        value=number,
        threshold=threshold,
        unit="restarts",
        what="restarts",
        onset=onset,
        minutes=minutes,
        detail=detail,
    )
