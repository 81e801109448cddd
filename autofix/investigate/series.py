"""Metrics over a window as text: a sparkline a signal, where it began and ended, its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from autofix.models import Window
from autofix.observe.frames import STATUS_CLASSES
from autofix.sparkline import sparkline

WIDTH = 24
"""Blocks of a line at most."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Line:
    """How one measurement is shown."""

    label: str
    measurement: str
    unit: str
    factor: float = 1.0
    limit: str | None = None


LINES = (
    Line("memory", "MEMORY_USAGE_GB", "MB", 1_000, "MEMORY_LIMIT_GB"),
    Line("CPU", "CPU_USAGE", "vCPU", 1, "CPU_LIMIT"),
    Line("disk", "DISK_USAGE_GB", "MB", 1_000, "DISK_LIMIT_GB"),
    Line("5xx", "HTTP_5XX", "a step"),
    Line("4xx", "HTTP_4XX", "a step"),
    Line("2xx", "HTTP_2XX", "a step"),
    Line("p50", "HTTP_P50_MS", "ms"),
    Line("p95", "HTTP_P95_MS", "ms"),
    Line("p99", "HTTP_P99_MS", "ms"),
    Line("restarts", "RESTARTS", "a step"),
)
RESOURCES = LINES[:3]


def render_series(
    samples: pd.DataFrame, service_id: str, window: Window, lines: tuple[Line, ...] = LINES
) -> str:
    """One line for each measurement that has samples; a dot is a gap."""
    own = _Own(samples[samples["service"] == service_id], window)
    rendered = (_render_line(own, line) for line in lines)
    return "\n".join(text for text in rendered if text)


def percent_of_limit(samples: pd.DataFrame, service_id: str, line: Line) -> float | None:
    """Average use in percent of the limit; None when one of the two was not measured."""
    own = samples[samples["service"] == service_id]
    usage = own.loc[own["measurement"] == line.measurement, "value"]
    limits = own.loc[own["measurement"] == line.limit, "value"]
    if usage.empty or limits.empty or limits.iloc[-1] <= 0:
        return None
    return 100 * float(usage.mean()) / float(limits.iloc[-1])


class _Own:
    """The samples of one service, taken apart once for all lines."""

    def __init__(self, own: pd.DataFrame, window: Window) -> None:
        at = own["ts"].to_numpy("datetime64[ns]").astype("int64")
        values = own["value"].to_numpy("float64")
        codes, names = pd.factorize(own["measurement"])
        order = np.argsort(at, kind="stable")
        at, values, codes = at[order], values[order], codes[order]
        self._points = {
            str(name): (at[codes == code], values[codes == code]) for code, name in enumerate(names)
        }
        classes = [self._points[c][0] for c in STATUS_CLASSES if c in self._points]
        self._answered = np.unique(np.concatenate(classes)) if classes else at[:0]
        self._start = pd.Timestamp(window.start).value
        self._length = pd.Timedelta(window.length).value
        self.width = _width(np.unique(at), self._length)

    def points(self, line: Line) -> tuple[Numbers, Numbers]:
        """Nanoseconds and values of one line in order.

        Beside a status class that was measured, one that was not named is a true zero.
        """
        at, values = self._points.get(line.measurement, (self._answered[:0], np.empty(0)))
        if line.measurement in STATUS_CLASSES:
            filled = np.zeros(len(self._answered))
            filled[np.searchsorted(self._answered, at)] = values
            at, values = self._answered, filled
        return at, values * line.factor

    def limit(self, line: Line) -> float | None:
        """The newest one, if it is any."""
        _, limits = self._points.get(line.limit or "", (None, np.empty(0)))
        return float(limits[-1]) * line.factor if len(limits) and limits[-1] > 0 else None

    def buckets(self, at: Numbers, values: Numbers) -> list[float | None]:
        """The window in parts, the highest value of each."""
        part = np.floor((at - self._start) / self._length * self.width)
        highest = np.full(self.width, -np.inf)
        np.maximum.at(highest, part.clip(0, self.width - 1).astype(int), values)
        return [float(v) if np.isfinite(v) else None for v in highest]


def _width(times: Numbers, length: int) -> int:
    """Parts of the window, none of them shorter than a step: else each would look like a gap."""
    return max(1, min(WIDTH, length // int(np.diff(times).min()))) if len(times) > 1 else WIDTH


def _render_line(own: _Own, line: Line) -> str:
    at, values = own.points(line)
    if not len(values) or (line.unit == "a step" and not values.any()):
        return ""
    limit, mean, top = own.limit(line), float(values.mean()), float(values.max())
    first, last, average, maximum = (_number(v) for v in (values[0], values[-1], mean, top))
    text = (
        f"{line.label:<8} {sparkline(own.buckets(at, values), limit or top)}  "
        f"{first} → {last} {line.unit}, average {average}, maximum {maximum}"
    )
    if limit is None:
        return text
    return f"{text}, limit {_number(limit)} ({100 * mean / limit:.0f} % used on average)"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004
