"""Recorded history: a file of samples in long form, CSV or Parquet, as a recording.

Columns `ts`, `service`, `measurement` and `value`, in any order, beside any others. Times are RFC 3339
(without an offset: UTC) or seconds, milliseconds, microseconds or nanoseconds since the epoch. A
value that is empty or NaN was not measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from autofix.detect.grid import CODES, Ints, Recording, sort_recording
from autofix.errors import ConfigError
from autofix.observe.frames import COLUMNS

MAX_SAMPLES = 60_000_000
MAX_SERVICES = 5_000
_PARQUET = b"PAR1"
_BLOCK = 1 << 24
_YEARS = (1970, 2200)
_TOO_EARLY = pd.Timestamp("1900-01-01", tz="UTC").as_unit("s")
_LATEST = pd.Timestamp(f"{_YEARS[1]}-01-01", tz="UTC").value
_SCALES = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (np.inf, 1))
"""A number up to so much since the epoch counts so many nanoseconds."""


def load_history(path: Path) -> Recording:
    """The samples of a file.

    Raises:
        ConfigError: it is no such file; one line that says what to set right.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_PARQUET))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if not start:
        raise ConfigError(f"{path} is empty: {_wanted()}")
    try:
        batches = _read_parquet(path) if start == _PARQUET else _read_csv(path)
        return _Builder(path).build(batches)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {_tell(error)}") from error


def _read_parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        _require_columns(path, file.schema_arrow.names)
        yield from file.iter_batches(columns=list(COLUMNS), batch_size=1 << 20)


def _read_csv(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.input_stream(str(path), compression="detect") as head:
        first = head.read(1 << 16).partition(b"\n")[0].decode("utf-8-sig")
    _require_columns(path, [name.strip().strip('"') for name in first.split(",")])
    text = pa.dictionary(pa.int32(), pa.string())
    options = pa_csv.ConvertOptions(
        include_columns=list(COLUMNS),
        column_types={
            "ts": text,
            "service": text,
            "measurement": text,
            "value": pa.float64(),
        },
        strings_can_be_null=True,
        null_values=["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None"],
    )
    reading = pa_csv.ReadOptions(block_size=_BLOCK)
    with (
        pa.input_stream(str(path), compression="detect") as stream,
        pa_csv.open_csv(stream, read_options=reading, convert_options=options) as reader,
    ):
        yield from reader


class _Builder:
    """Gathers batches into arrays: names become numbers at once, so that text is never kept."""

    def __init__(self, path: Path) -> None:
        """Begin with nothing."""
        self._path = path
        self._services: dict[str, int] = {}
        self._parts: list[tuple[Any, ...]] = []
        self._count = 0

    def build(self, batches: Iterator[pa.RecordBatch]) -> Recording:
        """All batches as one recording, services by name."""
        for batch in batches:
            self._add(batch)
        if not self._count:
            raise ConfigError(f"{self._path} holds no samples: {_wanted()}")
        ts, service, measurement, value = (
            np.concatenate(arrays) for arrays in zip(*self._parts, strict=True)
        )
        self._parts.clear()
        names = sorted(self._services)
        place = np.empty(len(names), dtype="int32")
        for new, name in enumerate(names):
            place[self._services[name]] = new
        return sort_recording(names, ts, place[service], measurement, value)

    def _add(self, batch: pa.RecordBatch) -> None:
        self._count += batch.num_rows
        if self._count > MAX_SAMPLES:
            raise ConfigError(
                f"{self._path} holds more than {MAX_SAMPLES:,} samples: replay fewer services, or "
                "fewer days at a time"
            )
        columns = {name: batch.column(name) for name in COLUMNS}
        for name in ("ts", "service", "measurement"):
            if columns[name].null_count:
                raise ConfigError(f"{self._path}: {columns[name].null_count:,} rows have no {name}")
        self._parts.append(
            (
                self._times(columns["ts"]),
                self._names(columns["service"]),
                self._measurements(columns["measurement"]),
                self._values(columns["value"]),
            )
        )

    def _times(self, column: Any) -> Ints:
        if pa.types.is_timestamp(column.type):
            ns = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64())
            return self._checked(ns.to_numpy(zero_copy_only=False), column)
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            return self._checked(_since_epoch(column.to_numpy(zero_copy_only=False)), column)
        codes, texts = _codes(column)
        return self._checked(self._parse(texts)[codes], column)

    def _parse(self, texts: list[str]) -> Ints:
        numbers = pd.to_numeric(pd.Series(texts, dtype="object"), errors="coerce")
        if numbers.notna().all():
            return _since_epoch(numbers.to_numpy(dtype="float64"))
        times = pd.to_datetime(
            pd.Series(texts, dtype="object"), format="ISO8601", utc=True, errors="coerce"
        )
        wrong = times.isna().to_numpy()
        if wrong.any():
            raise ConfigError(
                f"{self._path}: ts {texts[int(wrong.argmax())]!r} is no time: write it as "
                "2026-03-02T14:30:00Z"
            )
        # what nanoseconds cannot count is out of range anyway
        years = times.dt.year
        times = times.where((years >= _YEARS[0]) & (years < _YEARS[1]), _TOO_EARLY)
        return times.astype("datetime64[ns, UTC]").to_numpy(dtype="datetime64[ns]").astype("int64")

    def _checked(self, ts: Ints, column: Any) -> Ints:
        wrong = (ts < 0) | (ts > _LATEST)
        if wrong.any():
            first = column[int(wrong.argmax())].as_py()
            raise ConfigError(
                f"{self._path}: ts {str(first)!r} is not between {_YEARS[0]} and {_YEARS[1]}"
            )
        return ts

    def _names(self, column: Any) -> npt.NDArray[np.int32]:
        codes, texts = _codes(column)
        for text in texts:
            self._services.setdefault(text, len(self._services))
        if len(self._services) > MAX_SERVICES:
            raise ConfigError(
                f"{self._path}: column service holds more than {MAX_SERVICES:,} names, such as "
                f"{texts[0]!r}"
            )
        return np.array([self._services[text] for text in texts], dtype="int32")[codes]

    def _measurements(self, column: Any) -> npt.NDArray[np.int8]:
        codes, texts = _codes(column)
        unknown = next((text for text in texts if text not in CODES), None)
        if unknown is not None:
            known = ", ".join(CODES)
            raise ConfigError(f"{self._path}: unknown measurement {unknown!r}; there are {known}")
        return np.array([CODES[text] for text in texts], dtype="int8")[codes]

    def _values(self, column: Any) -> npt.NDArray[np.float64]:
        numeric = pa.types.is_floating(column.type) or pa.types.is_integer(column.type)
        if not numeric:
            raise ConfigError(f"{self._path}: column value holds {column.type}, not numbers")
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _codes(column: Any) -> tuple[npt.NDArray[np.int64], list[str]]:
    """A text column as numbers, and what they stand for."""
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    texts = [str(text) for text in column.dictionary.to_pylist()]
    return column.indices.to_numpy(zero_copy_only=False).astype("int64"), texts


def _since_epoch(numbers: npt.NDArray[Any]) -> Ints:
    """Nanoseconds, of seconds or of smaller units as the size of the numbers shows."""
    numbers = np.nan_to_num(numbers.astype("float64"), nan=-1.0)
    largest = float(np.abs(numbers).max(initial=0.0))
    scale = next(scale for limit, scale in _SCALES if largest < limit)
    nanoseconds: Ints = np.round(numbers * scale).clip(-1, 9e18).astype("int64")
    return nanoseconds


def _require_columns(path: Path, found: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        there = ", ".join(found)[:200]
        raise ConfigError(
            f"{path}: column {missing[0]} is missing; there are {there!r}; {_wanted()}"
        )


def _wanted() -> str:
    return f"the first line must name the columns {','.join(COLUMNS)}"


def _tell(error: Exception) -> str:
    text = " ".join(str(error).split())
    number = re.search(r"conversion error to double: invalid value '([^']*)'", text)
    if number:
        return f"value {number[1][:60]!r} is no number"
    return text[:300]
