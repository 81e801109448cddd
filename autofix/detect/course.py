"""What is judged, derived from a grid of samples: use in percent of limits, requests, latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from autofix.detect.grid import LOW, PEAK, Array, Flags, Grid
from autofix.observe.frames import LOG_ERRORS, RESTARTS, STATUS_CLASSES

_MINUTE = 60 * 1_000_000_000
_RATIO_95 = 0.707
"""Of two percentiles of a log-normal distribution, how far p95 lies on the way from p50 to p99."""
_P99_TO_P95 = 0.67
"""What p95 is of p99 at the usual spread, where p50 is not known."""


@dataclass(frozen=True)
class Course:
    """Signals of all services over a stretch of time; services × steps, NaN where not measured."""

    grid: Grid
    carried: Mapping[str, Array] = field(default_factory=dict)
    """Limits that stood before the first step, a column each."""

    @property
    def length(self) -> int:
        """Number of steps."""
        return self.grid.shape[1]

    @property
    def step_minutes(self) -> float:
        """Length of a step."""
        return self.grid.step / _MINUTE

    @cached_property
    def requests(self) -> Array:
        """Requests per step over all status classes.

        Railway names only the classes that occurred: beside a class that was measured, a missing
        one is a true zero.
        """
        found = [self.grid.values[name] for name in STATUS_CLASSES if name in self.grid.values]
        return _sum(found) if found else self.grid.column(STATUS_CLASSES[0])

    def of_class(self, digit: int) -> Array:
        """Requests of one status class per step."""
        column = self.grid.column(STATUS_CLASSES[digit - 2])
        zero: Array = np.where(np.isnan(column) & ~np.isnan(self.requests), 0.0, column)
        return zero

    @cached_property
    def served(self) -> Array:
        """Requests per step that did not fail."""
        return self.of_class(2) + self.of_class(3)

    @cached_property
    def p95(self) -> Array:
        """95th percentile in milliseconds, where there were requests.

        Estimated from the other percentiles where it is missing.
        """
        p50, p95, p99 = (_positive(self.grid.column(f"HTTP_P{p}_MS")) for p in (50, 95, 99))
        missing = np.isnan(p95)
        if missing.any():
            between = p50 * (p99 / p50) ** _RATIO_95
            guess = np.where(np.isnan(between), _P99_TO_P95 * p99, between)
            p95 = np.where(missing, np.where(np.isnan(guess), p50, guess), p95)
        quiet = ~(self.requests > 0)
        masked: Array = np.where(quiet, np.nan, p95)
        return masked

    @cached_property
    def cpu(self) -> Array:
        """Percent of the limit."""
        return self.percent("CPU_USAGE", "CPU_LIMIT")

    @cached_property
    def memory(self) -> Array:
        """Percent of the limit."""
        return self.percent("MEMORY_USAGE_GB", "MEMORY_LIMIT_GB")

    @cached_property
    def memory_peak(self) -> Array:
        """The highest sample of each step, percent of the limit."""
        return self.percent(PEAK, "MEMORY_LIMIT_GB")

    @cached_property
    def memory_low(self) -> Array:
        """The lowest sample of each step, percent of the limit."""
        return self.percent(LOW, "MEMORY_LIMIT_GB")

    @cached_property
    def disk(self) -> Array:
        """Percent of the size."""
        return self.percent("DISK_USAGE_GB", "DISK_LIMIT_GB")

    @cached_property
    def log_errors(self) -> Array:
        """Error lines per step."""
        return self.grid.column(LOG_ERRORS)

    @cached_property
    def restarts(self) -> Array:
        """Unplanned restarts per step."""
        return self.grid.column(RESTARTS)

    @cached_property
    def measured(self) -> Flags:
        """Whether anything at all was measured."""
        seen = np.zeros(self.grid.shape, dtype=bool)
        for name in ("CPU_USAGE", "MEMORY_USAGE_GB", *STATUS_CLASSES):
            if name in self.grid.values:
                seen |= ~np.isnan(self.grid.values[name])
        return seen

    @cached_property
    def stride(self) -> Array:
        """Of how many steps a sample is, where samples are further apart than the steps here."""
        return stride_of(self.measured)

    @cached_property
    def request_minutes(self) -> Array:
        """Of how many minutes a count of requests is."""
        return stride_of(~np.isnan(self.requests)) * self.step_minutes

    @cached_property
    def per_minute(self) -> Array:
        """Requests a minute."""
        return self.requests / self.request_minutes

    @cached_property
    def served_per_minute(self) -> Array:
        """Requests a minute that did not fail."""
        return self.served / self.request_minutes

    def limit(self, name: str) -> Array:
        """A limit at every step: the one that stood nearest before, else nearest after."""
        column = _positive(self.grid.column(name))
        carried = self.carried.get(name)
        if carried is not None and column.shape[1]:
            column = column.copy()
            column[:, 0] = np.where(np.isnan(column[:, 0]), carried, column[:, 0])
        forward = _fill(column)
        return np.where(np.isnan(forward), _fill(forward[:, ::-1])[:, ::-1], forward)

    def percent(self, usage: str, limit: str) -> Array:
        """Use in percent of its limit; NaN without a limit."""
        if usage not in self.grid.values:
            return self.grid.column(usage)
        return 100 * self.grid.values[usage] / self.limit(limit)


def _sum(columns: list[Array]) -> Array:
    stack = np.stack(columns)
    total = np.nansum(stack, axis=0)
    return np.where(np.isnan(stack).all(axis=0), np.nan, total)


def _positive(column: Array) -> Array:
    return np.where(column > 0, column, np.nan)


def _fill(column: Array) -> Array:
    """Each NaN as the last number before it."""
    place = np.where(np.isnan(column), 0, np.arange(column.shape[1]))
    np.maximum.accumulate(place, axis=1, out=place)
    return np.take_along_axis(column, place, axis=1)


def stride_of(measured: Flags) -> Array:
    """Of how many steps each measured one is: the distance to the nearest other one."""
    steps = measured.shape[1]
    at = np.arange(steps)
    before = np.maximum.accumulate(np.where(measured, at, -steps), axis=1)
    after = np.minimum.accumulate(np.where(measured, at, 2 * steps)[:, ::-1], axis=1)[:, ::-1]
    last = np.concatenate([np.full((len(measured), 1), -steps), before[:, :-1]], axis=1)
    following = np.concatenate([after[:, 1:], np.full((len(measured), 1), 2 * steps)], axis=1)
    nearest = np.minimum(at - last, following - at)
    return np.where(nearest >= steps, 1, nearest).astype("float64")
