"""Services without HTTP: error lines against their own normal, and the runs of crons."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from autofix.detect.course import stride_of
from autofix.detect.cron import parse_schedule
from autofix.detect.entries import surprise
from autofix.detect.grid import Array, moment, nanoseconds
from autofix.detect.hits import Hit
from autofix.detect.normal import look_before
from autofix.detect.view import FINE, WINDOW, View
from autofix.models import Pattern, Service, ServiceKind, Severity, Signal
from autofix.observe.frames import CRON_FAILED, CRON_RUNS

_FACTOR = 4.0
"""Multiple of its own normal from which on error lines say something."""
_SURPRISE = 4.0
_PARTS, _HIT_PARTS = 6, 4
"""Of so many parts of the window so many must hold error lines."""
_LATE = timedelta(minutes=6)
"""A run may begin some minutes after it is due."""


def judge_log_errors(view: View) -> list[Hit]:
    """Services without HTTP that log far more errors than they use to.

    What goes to stderr counts as an error there, so a number alone says nothing.
    """
    lines = view.fine.log_errors[:, -WINDOW:]
    seen = ~np.isnan(lines)
    measured = np.maximum(seen.sum(axis=1), 1)
    hours = measured * view.fine.step_minutes / 60
    rate = np.nansum(lines, axis=1) / hours
    warning, critical = view.levels("log_errors_per_hour")
    has_http = ~np.isnan(view.fine.requests).all(axis=1)
    parts = np.add.reduceat(np.nan_to_num(lines), range(0, WINDOW, WINDOW // _PARTS), axis=1)
    spread = (parts > 0).sum(axis=1) >= _HIT_PARTS
    hits = []
    for row in np.flatnonzero((rate >= warning[:, 0]) & ~has_http & spread).tolist():
        counts = view.coarse.log_errors[row]
        minutes = stride_of(~np.isnan(counts[None]))[0] * view.coarse.step_minutes
        per_hour = counts / minutes * 60
        before = look_before(view, per_hour, float(rate[row]) / 2)
        if not before.is_known:
            continue
        normal = float(np.nanmean(before.values))
        number, expected = np.array(np.nansum(lines[row])), np.array(normal * hours[row])
        if rate[row] < _FACTOR * normal or surprise(number, expected) < _SURPRISE:
            continue
        is_critical = bool(rate[row] >= critical[row, 0])
        # lines come in clumps: coarse steps say when there were more of them
        start = min(view.coarse_time(float(before.start)), nanoseconds(view.window.end))
        hits.append(
            Hit(
                row=row,
                signal=Signal.log_errors,
                severity=Severity.critical if is_critical else Severity.warning,
                pattern=Pattern.step,
                value=float(rate[row]),
                threshold=max(
                    float((critical if is_critical else warning)[row, 0]), _FACTOR * normal
                ),
                unit="lines/h",
                what="error lines",
                onset=start,
                minutes=WINDOW * view.fine.step_minutes,
                baseline=normal,
            )
        )
    return hits


def judge_crons(view: View) -> list[Hit]:
    """Crons whose runs failed, or that did not begin when they were due."""
    warning, critical = view.levels("cron_failures")
    failed = view.fine.grid.column(CRON_FAILED)[:, -WINDOW:]
    begun = view.fine.grid.column(CRON_RUNS)[:, -WINDOW:]
    hits = []
    for row, service in enumerate(view.services):
        if service.kind is not ServiceKind.cron:
            continue
        number = float(np.nansum(failed[row]))
        missed = [] if number else _missed(view, service, begun[row])
        total = number or float(len(missed))
        if not total or total < warning[row, 0]:
            continue
        first = FINE - WINDOW + float(np.flatnonzero(failed[row] > 0)[0]) if number else 0.0
        is_critical = bool(total >= critical[row, 0])
        hits.append(
            Hit(
                row=row,
                signal=Signal.cron_failed,
                severity=Severity.critical if is_critical else Severity.warning,
                pattern=Pattern.counted,
                value=total,
                threshold=float((critical if is_critical else warning)[row, 0]),
                unit="runs",
                what="failed" if number else "never began",
                onset=view.fine_time(first) if number else nanoseconds(missed[0]),
                minutes=WINDOW * view.fine.step_minutes,
                detail="" if number else "not started, or skipped while the one before still ran",
            )
        )
    return hits


def _missed(view: View, service: Service, begun: Array) -> list[datetime]:
    """When runs were due of which fewer began than should have; only where runs were counted."""
    schedule = parse_schedule(service.cron_schedule or "")
    counted = np.flatnonzero(~np.isnan(begun))
    if schedule is None or not counted.size:
        return []
    since = moment(view.fine_time(FINE - WINDOW + float(counted[0])))
    if service.deployment is not None:
        since = max(since, service.deployment.created_at)
    due = list(schedule.between(since, view.window.end - _LATE))
    return due[len(due) - max(0, len(due) - round(float(np.nansum(begun)))) :]
