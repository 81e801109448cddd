"""Which number stands for a signal, step by step and over a window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from autofix.detect import windows
from autofix.models import Model, Pattern, Signal, Window
from autofix.observe.frames import CRON_FAILED, LOG_ERRORS, RESTARTS
from autofix.verify.intervals import Estimate, Numbers, frequency, share, slope, typical

_SECONDS = 3_600.0


class Reading(Model):
    """A signal over a window."""

    window: Window
    value: float
    low: float
    high: float
    samples: int
    """Steps that were measured."""
    requests: int | None = None
    """Requests it rests on; None for what is not counted in requests."""


@dataclass(frozen=True)
class Measure:
    """How one signal is read, and what an engineer calls the number."""

    name: str
    unit: str
    step_unit: str
    series: Callable[[pd.DataFrame], pd.Series]
    """Its value in each step of a widened window; NaN where it was not measured."""
    estimate: Callable[[pd.DataFrame], Estimate | None]
    of_requests: bool = False
    more_is_better: bool = False


def read_signal(
    samples: pd.DataFrame, service_id: str, window: Window, measure: Measure
) -> Reading | None:
    """The measure over the window; None when too little of it was measured to say anything.

    Args:
        samples: frame of the column contract; nothing outside the window is read.
        service_id: whose signal.
        window: the slice of time.
        measure: see `measure_of`.
    """
    wide = _widen(samples, service_id, window)
    found = None if wide.empty else measure.estimate(wide)
    if found is None:
        return None
    requests = int(windows.requests(wide).sum()) if measure.of_requests else None
    return Reading(window=window, requests=requests, **found._asdict())


def read_steps(
    samples: pd.DataFrame, service_id: str, window: Window, measure: Measure, parts: int
) -> tuple[float | None, ...]:
    """The measure in equal parts of the window, their mean each; None where nothing was measured."""
    wide = _widen(samples, service_id, window)
    if wide.empty:
        return (None,) * parts
    values = measure.series(wide)
    hours = _hours(values) - window.start.timestamp() / _SECONDS
    part = np.floor(hours * _SECONDS / window.length.total_seconds() * parts).astype(int)
    means = pd.Series(_array(values)).groupby(part).mean().dropna()
    return tuple(float(means[i]) if i in means.index else None for i in range(parts))


def count_parts(samples: pd.DataFrame, service_id: str, window: Window, most: int) -> int:
    """In how many parts a window can be shown so that no part is empty for lack of samples."""
    times = samples.loc[samples["service"] == service_id, "ts"].drop_duplicates().sort_values()
    steps = times.diff().dropna()
    if steps.empty:
        return most
    return max(1, min(most, int(window.length / steps.min().to_pytimedelta())))


def measure_of(signal: Signal, pattern: Pattern) -> Measure | None:
    """How this signal is compared; None for one that is not a number over time."""
    if pattern is Pattern.trend and signal in _TRENDS:
        return _TRENDS[signal]
    return _MEASURES.get(signal)


def _widen(samples: pd.DataFrame, service_id: str, window: Window) -> pd.DataFrame:
    return windows.widen(samples[samples["service"] == service_id], window)


def _errors(name: str, column: str) -> Measure:
    def both(wide: pd.DataFrame) -> pd.DataFrame:
        requests = windows.requests(wide)
        hits = windows.column(wide, column).where(requests.notna()).fillna(0.0)
        table = pd.DataFrame({"hits": hits, "requests": requests})
        return table[table["requests"] > 0]

    def estimate(wide: pd.DataFrame) -> Estimate | None:
        table = both(wide)
        return share(_array(table["hits"]), _array(table["requests"]))

    def series(wide: pd.DataFrame) -> pd.Series:
        table = both(wide)
        return 100 * table["hits"] / table["requests"]

    return Measure(name, "%", "%", series, estimate, of_requests=True)


def _latency() -> Measure:
    def series(wide: pd.DataFrame) -> pd.Series:
        return windows.column(wide, "HTTP_P95_MS").where(windows.requests(wide) > 0)

    return Measure(
        "p95", "ms", "ms", series, lambda w: typical(_array(series(w)), log=True), of_requests=True
    )


def _use(name: str, usage: str, limit: str, unit: str = "% of its limit") -> Measure:
    def series(wide: pd.DataFrame) -> pd.Series:
        return windows.percent_of_limit(wide, usage, limit)

    return Measure(name, unit, unit, series, lambda w: typical(_array(series(w)), log=False))


def _rise(name: str, usage: str, limit: str) -> Measure:
    def series(wide: pd.DataFrame) -> pd.Series:
        return windows.percent_of_limit(wide, usage, limit)

    def estimate(wide: pd.DataFrame) -> Estimate | None:
        percent = series(wide)
        return slope(_array(percent), _hours(percent))

    return Measure(name, "% of its limit an hour", "% of its limit", series, estimate)


def _counted(name: str, series: Callable[[pd.DataFrame], pd.Series], better: bool) -> Measure:
    def estimate(wide: pd.DataFrame) -> Estimate | None:
        values = series(wide).dropna()
        steps = np.diff(np.unique(_hours(values)))
        seconds = float(np.median(steps)) * _SECONDS if len(steps) else 0.0
        return frequency(_array(values), seconds) if seconds else None

    return Measure(name, "an hour", "a step", series, estimate, more_is_better=better)


def _of(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda wide: windows.column(wide, column)


def _array(values: pd.Series) -> Numbers:
    return values.to_numpy(dtype="float64")


def _hours(values: pd.Series) -> Numbers:
    times = pd.DatetimeIndex(values.index.get_level_values(windows.TS)).as_unit("ns")
    return times.asi8.astype("float64") / (_SECONDS * 1e9)


_MEMORY = ("MEMORY_USAGE_GB", "MEMORY_LIMIT_GB")
_DISK = ("DISK_USAGE_GB", "DISK_LIMIT_GB")
_MEASURES = {
    Signal.http_5xx: _errors("5xx", "HTTP_5XX"),
    Signal.http_4xx: _errors("4xx", "HTTP_4XX"),
    Signal.latency: _latency(),
    Signal.cpu: _use("CPU", "CPU_USAGE", "CPU_LIMIT"),
    Signal.memory: _use("memory", *_MEMORY),
    Signal.disk: _use("volume", *_DISK, unit="% full"),
    Signal.crash_loop: _counted("restarts", _of(RESTARTS), better=False),
    Signal.log_errors: _counted("error lines", _of(LOG_ERRORS), better=False),
    Signal.cron_failed: _counted("failed runs", _of(CRON_FAILED), better=False),
    Signal.silence: _counted("requests", windows.requests, better=True),
}
_TRENDS = {
    Signal.memory: _rise("memory", *_MEMORY),
    Signal.disk: _rise("volume", *_DISK),
}
