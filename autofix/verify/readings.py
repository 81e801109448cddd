"""One signal over one window as a number with its uncertainty.

Neighbouring steps of a metric are alike, so steps are put into few long blocks and the blocks are
taken as the observations: intervals from single steps would promise too much. How many blocks and
which confidence was settled by simulation, so that two windows of a service that did not change
differ surely in at most 5 of 100 cases, also where its noise lasts for minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from autofix.detect import windows
from autofix.models import Model, Pattern, Signal, Window
from autofix.observe.frames import CRON_FAILED, LOG_ERRORS, RESTARTS

CONFIDENCE = 0.975
BLOCKS = 5
"""A window is cut into at most so many blocks."""
LEAST_BLOCKS = 4
"""Fewer say nothing about how much a signal varies."""
_SECONDS = 3_600.0

Numbers = npt.NDArray[np.float64]


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
    read: Callable[[pd.DataFrame], tuple[float, float, float, int] | None]
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
    own = samples[samples["service"] == service_id]
    wide = windows.widen(own, window)
    if wide.empty:
        return None
    found = measure.read(wide)
    if found is None:
        return None
    value, low, high, count = found
    requests = int(windows.requests(wide).sum()) if measure.of_requests else None
    return Reading(window=window, value=value, low=low, high=high, samples=count, requests=requests)


def measure_of(signal: Signal, pattern: Pattern) -> Measure | None:
    """How this signal is compared; None for one that is not a number over time."""
    if pattern is Pattern.trend and signal in _TRENDS:
        return _TRENDS[signal]
    return _MEASURES.get(signal)


def share(hits: Numbers, weights: Numbers) -> tuple[float, float, float, int] | None:
    """Hits per weight in percent with its interval: Wilson's, on fewer requests where hits cluster.

    Args:
        hits: per step, how many requests were hit.
        weights: per step, out of how many.
    """
    total = float(weights.sum())
    if total <= 0:
        return None
    rate = float(hits.sum()) / total
    count, quantile = _effective(hits, weights, rate)
    low, high = _wilson(rate, count, quantile)
    return 100 * rate, 100 * low, 100 * high, len(hits)


def frequency(hits: Numbers, seconds: float) -> tuple[float, float, float, int] | None:
    """Events per hour with Garwood's interval, widened where they come in bursts.

    Args:
        hits: per step, how many.
        seconds: length of one step.
    """
    if not len(hits):
        return None
    hours = len(hits) * seconds / _SECONDS
    total = float(hits.sum())
    blocks = np.array([block.sum() for block in _cut(hits)])
    spread = blocks.var(ddof=1) / blocks.mean() if len(blocks) > 1 and total else 1.0
    factor = max(1.0, float(spread))
    scaled, tail = total / factor, (1 - CONFIDENCE) / 2
    low = float(stats.chi2.ppf(tail, 2 * scaled)) / 2 if scaled else 0.0
    high = float(stats.chi2.ppf(1 - tail, 2 * scaled + 2)) / 2
    return total / hours, factor * low / hours, factor * high / hours, len(hits)


def typical(values: Numbers, *, log: bool) -> tuple[float, float, float, int] | None:
    """The mean over blocks with Student's interval; of logarithms for what is skewed."""
    clean = values[np.isfinite(values) & (values > 0 if log else True)]
    if len(clean) < LEAST_BLOCKS:
        return None
    scaled = np.log(clean) if log else clean
    means = np.array([block.mean() for block in _cut(scaled)])
    centre, half = float(means.mean()), _half(means)
    back = math.exp if log else float
    return back(centre), back(centre - half), back(centre + half), len(clean)


def slope(values: Numbers, hours: Numbers) -> tuple[float, float, float, int] | None:
    """Rise per hour by Theil and Sen, with the interval of their ranks over blocks."""
    clean = np.isfinite(values)
    if clean.sum() < LEAST_BLOCKS:
        return None
    y = np.array([block.mean() for block in _cut(values[clean])])
    x = np.array([block.mean() for block in _cut(hours[clean])])
    rise, _, low, high = stats.theilslopes(y, x, CONFIDENCE)
    return float(rise), float(low), float(high), int(clean.sum())


def _cut(values: Numbers) -> list[Numbers]:
    return np.array_split(values, min(BLOCKS, len(values)))


def _half(means: Numbers) -> float:
    """Half the width of Student's interval of a mean."""
    error = float(means.std(ddof=1)) / math.sqrt(len(means))
    return error * float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(means) - 1))


def _effective(hits: Numbers, weights: Numbers, rate: float) -> tuple[float, float]:
    """How many independent requests these are worth, and the quantile that goes with it."""
    total = float(weights.sum())
    normal = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
    x = np.array([block.sum() for block in _cut(hits)])
    n = np.array([block.sum() for block in _cut(weights)])
    if not 0 < rate < 1 or len(x) < LEAST_BLOCKS:
        return total, normal
    blocks = len(x)
    between = float(((x - rate * n) ** 2).sum()) * blocks / (blocks - 1) / total**2
    factor = max(1.0, between / (rate * (1 - rate) / total))
    student = float(stats.t.ppf(0.5 + CONFIDENCE / 2, blocks - 1))
    return total / factor, student if factor > 1 else normal


def _wilson(rate: float, count: float, z: float) -> tuple[float, float]:
    middle = rate + z**2 / (2 * count)
    half = z * math.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


# --------------------------------------------------------------------------- what is read


def _errors(column: str) -> Callable[[pd.DataFrame], tuple[float, float, float, int] | None]:
    def read(wide: pd.DataFrame) -> tuple[float, float, float, int] | None:
        requests = windows.requests(wide)
        hits = windows.column(wide, column).where(requests.notna()).fillna(0.0)
        busy = requests.fillna(0.0) > 0
        return share(_array(hits[busy]), _array(requests[busy]))

    return read


def _latency(wide: pd.DataFrame) -> tuple[float, float, float, int] | None:
    values = windows.column(wide, "HTTP_P95_MS").where(windows.requests(wide) > 0)
    return typical(_array(values), log=True)


def _use(
    usage: str, limit: str
) -> Callable[[pd.DataFrame], tuple[float, float, float, int] | None]:
    def read(wide: pd.DataFrame) -> tuple[float, float, float, int] | None:
        return typical(_array(windows.percent_of_limit(wide, usage, limit)), log=False)

    return read


def _rise(
    usage: str, limit: str
) -> Callable[[pd.DataFrame], tuple[float, float, float, int] | None]:
    def read(wide: pd.DataFrame) -> tuple[float, float, float, int] | None:
        percent = windows.percent_of_limit(wide, usage, limit)
        return slope(_array(percent), _hours(percent))

    return read


def _counted(column: str) -> Callable[[pd.DataFrame], tuple[float, float, float, int] | None]:
    def read(wide: pd.DataFrame) -> tuple[float, float, float, int] | None:
        values = windows.column(wide, column).dropna()
        steps = np.diff(np.unique(_hours(values)))
        seconds = float(np.median(steps)) * _SECONDS if len(steps) else 0.0
        return frequency(_array(values), seconds) if seconds else None

    return read


def _traffic(wide: pd.DataFrame) -> tuple[float, float, float, int] | None:
    requests = windows.requests(wide).dropna()
    steps = np.diff(np.unique(_hours(requests)))
    seconds = float(np.median(steps)) * _SECONDS if len(steps) else 0.0
    return frequency(_array(requests), seconds) if seconds else None


def _array(values: pd.Series) -> Numbers:
    return values.to_numpy(dtype="float64")


def _hours(values: pd.Series) -> Numbers:
    times = pd.DatetimeIndex(values.index.get_level_values(windows.TS)).as_unit("ns")
    return times.asi8.astype("float64") / (_SECONDS * 1e9)


_MEMORY = ("MEMORY_USAGE_GB", "MEMORY_LIMIT_GB")
_DISK = ("DISK_USAGE_GB", "DISK_LIMIT_GB")
_MEASURES = {
    Signal.http_5xx: Measure("5xx", "%", _errors("HTTP_5XX"), of_requests=True),
    Signal.http_4xx: Measure("4xx", "%", _errors("HTTP_4XX"), of_requests=True),
    Signal.latency: Measure("p95", "ms", _latency, of_requests=True),
    Signal.cpu: Measure("CPU", "% of its limit", _use("CPU_USAGE", "CPU_LIMIT")),
    Signal.memory: Measure("memory", "% of its limit", _use(*_MEMORY)),
    Signal.disk: Measure("volume", "% full", _use(*_DISK)),
    Signal.crash_loop: Measure("restarts", "an hour", _counted(RESTARTS)),
    Signal.log_errors: Measure("error lines", "an hour", _counted(LOG_ERRORS)),
    Signal.cron_failed: Measure("failed runs", "an hour", _counted(CRON_FAILED)),
    Signal.silence: Measure("requests", "an hour", _traffic, more_is_better=True),
}
_TRENDS = {
    Signal.memory: Measure("memory", "% of its limit an hour", _rise(*_MEMORY)),
    Signal.disk: Measure("volume", "% an hour", _rise(*_DISK)),
}
