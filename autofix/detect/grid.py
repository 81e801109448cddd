"""Samples on a regular grid of time, all services at once.

A step that was not measured is NaN, stays out of every count, and is never read as zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from autofix.observe.frames import COUNTS, MEASUREMENTS, STATUS_CLASSES

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

ORDER = tuple(sorted(MEASUREMENTS))
"""Measurements by the code that stands for them in a recording."""
CODES = {name: code for code, name in enumerate(ORDER)}
PEAK, LOW = "MEMORY_PEAK_GB", "MEMORY_LOW_GB"
"""The highest and the lowest sample of a step, beside its mean."""
_SUMMED = frozenset({*STATUS_CLASSES, *COUNTS})
_NS = 1_000_000_000
_LARGEST, _SMALLEST = 1e18, 1e-12
"""Nothing that a platform measures is larger; what is smaller is nothing. Squares and quotients of what
is kept stay finite."""


@dataclass(frozen=True)
class Recording:
    """Samples as parallel arrays, sorted by time; each service and measurement once a moment."""

    services: tuple[str, ...]
    ts: Ints
    """Nanoseconds since the epoch."""
    service: npt.NDArray[np.int32]
    """Position in `services`."""
    measurement: npt.NDArray[np.int8]
    """Position in `ORDER`."""
    value: Array

    def between(self, start: int, end: int) -> Recording:
        """The samples of ``[start, end)``; nothing is copied."""
        low, high = np.searchsorted(self.ts, [start, end])
        part = slice(int(low), int(high))
        return Recording(
            self.services,
            self.ts[part],
            self.service[part],
            self.measurement[part],
            self.value[part],
        )

    def only(self, names: Collection[str]) -> Recording:
        """The samples of these services."""
        kept = [i for i, name in enumerate(self.services) if name in names]
        if len(kept) == len(self.services):
            return self
        place = np.full(len(self.services), -1, dtype="int32")
        place[kept] = np.arange(len(kept), dtype="int32")
        service = place[self.service]
        chosen = service >= 0
        return Recording(
            tuple(self.services[i] for i in kept),
            self.ts[chosen],
            service[chosen],
            self.measurement[chosen],
            self.value[chosen],
        )


@dataclass(frozen=True)
class Grid:
    """One array of services × steps for each measurement that occurs."""

    start: int
    """Nanoseconds since the epoch."""
    step: int
    """Nanoseconds."""
    shape: tuple[int, int]
    values: Mapping[str, Array]

    def column(self, name: str) -> Array:
        """One measurement; all NaN where nobody measured it."""
        found = self.values.get(name)
        return np.full(self.shape, np.nan) if found is None else found

    def steps(self, first: int, last: int) -> Grid:
        """The steps ``[first, last)``."""
        return Grid(
            self.start + first * self.step,
            self.step,
            (self.shape[0], last - first),
            {name: column[:, first:last] for name, column in self.values.items()},
        )


def nanoseconds(at: datetime) -> int:
    """A moment as nanoseconds since the epoch."""
    return round(at.timestamp() * 1_000_000) * 1_000


def moment(ns: int) -> datetime:
    """The moment of so many nanoseconds since the epoch."""
    return datetime.fromtimestamp(ns // _NS, UTC)


def build_recording(samples: pd.DataFrame, services: Sequence[str]) -> Recording:
    """The samples of these services; rows may come in any order, twice, and with NaN."""
    ts = pd.to_datetime(samples["ts"], utc=True).astype("datetime64[ns, UTC]")
    codes = pd.Index(ORDER).get_indexer(pd.Index(samples["measurement"].astype("str")))
    owners = pd.Index(list(services), dtype="str").get_indexer(
        pd.Index(samples["service"].astype("str"))
    )
    values = pd.to_numeric(samples["value"], errors="coerce").to_numpy(dtype="float64")
    missing = ts.isna().to_numpy()
    at = ts.to_numpy(dtype="datetime64[ns]").astype("int64")
    return sort_recording(
        services, np.where(missing, -1, at), owners.astype("int32"), codes.astype("int8"), values
    )


def sort_recording(
    services: Sequence[str],
    ts: Ints,
    service: npt.NDArray[np.int32],
    measurement: npt.NDArray[np.int8],
    value: Array,
) -> Recording:
    """A recording of these rows, without the ones that say nothing.

    What is left out: no time, no known service or measurement, no finite number, and what is below
    zero or beyond `_LARGEST`, which nothing that is measured here can be. Of rows that measure the
    same thing twice the higher stays.
    """
    value = np.where(np.abs(value) < _SMALLEST, 0.0, value)
    kept = (value >= 0) & (value <= _LARGEST) & (ts >= 0) & (service >= 0) & (measurement >= 0)
    ts, service, measurement, value = ts[kept], service[kept], measurement[kept], value[kept]
    _, place = np.unique(ts, return_inverse=True)
    key = (place * max(1, len(services)) + service) * len(ORDER) + measurement
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    if len(first) < len(order):
        value = np.maximum.reduceat(value[order], first)
        order = order[first]
    else:
        value = value[order]
    return Recording(tuple(services), ts[order], service[order], measurement[order], value)


def build_grid(rows: Recording, start: int, step: int, steps: int) -> Grid:
    """The samples of ``[start, start + steps × step)``: counts added up, the rest as its mean."""
    rows = rows.between(start, start + steps * step)
    shape = (len(rows.services), steps)
    cells = shape[0] * shape[1]
    at = (rows.ts - start) // step
    flat = (rows.measurement.astype("int64") * shape[0] + rows.service) * steps + at
    size = len(ORDER) * cells
    counts = np.bincount(flat, minlength=size)
    sums = np.bincount(flat, weights=rows.value, minlength=size)
    values: dict[str, Array] = {}
    for name, code in CODES.items():
        part = slice(code * cells, (code + 1) * cells)
        number = counts[part]
        if not number.any():
            continue
        total = np.where(number > 0, sums[part], np.nan)
        mean = total if name in _SUMMED else total / np.maximum(number, 1)
        values[name] = mean.reshape(shape)
    if "MEMORY_USAGE_GB" in values:
        values |= _extremes(rows, flat, cells, shape)
    return Grid(start, step, shape, values)


def _extremes(rows: Recording, flat: Ints, cells: int, shape: tuple[int, int]) -> dict[str, Array]:
    memory = rows.measurement == CODES["MEMORY_USAGE_GB"]
    cell = flat[memory] - CODES["MEMORY_USAGE_GB"] * cells
    peak, low = np.full(cells, np.nan), np.full(cells, np.nan)
    np.fmax.at(peak, cell, rows.value[memory])
    np.fmin.at(low, cell, rows.value[memory])
    return {PEAK: peak.reshape(shape), LOW: low.reshape(shape)}
