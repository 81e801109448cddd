"""Wire to tidy frames, and the contract of a frame.

A frame of samples has four columns and one row per measured value, sorted by service,
measurement and ts:

- `ts`: start of the step, ``datetime64[ns, UTC]``
- `service`: Railway's service id
- `measurement`: one of `MEASUREMENTS`
- `value`: float; what was not measured has no row

CPU is in vCPU, `_GB` in gigabytes, `HTTP_nXX` in requests per step, `HTTP_Pn_MS` in
milliseconds, `RESTARTS` in unplanned restarts per step, `LOG_ERRORS` in lines per step,
`CRON_RUNS` in runs that began and `CRON_FAILED` in runs that failed per step. `NETWORK_*` is
public traffic only, as Railway gives it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from autofix.models import Volume, Window
from autofix.observe.wire import WireHttp, WireSeries

COLUMNS = ("ts", "service", "measurement", "value")
RESOURCES = (
    "CPU_USAGE",
    "CPU_LIMIT",
    "MEMORY_USAGE_GB",
    "MEMORY_LIMIT_GB",
    "DISK_USAGE_GB",
    "DISK_LIMIT_GB",
)
STATUS_CLASSES = ("HTTP_2XX", "HTTP_3XX", "HTTP_4XX", "HTTP_5XX")
PERCENTILES = ("HTTP_P50_MS", "HTTP_P95_MS", "HTTP_P99_MS")
NETWORK = ("NETWORK_RX_GB", "NETWORK_TX_GB")
RESTARTS = "RESTARTS"
LOG_ERRORS = "LOG_ERRORS"
CRON_RUNS = "CRON_RUNS"
CRON_FAILED = "CRON_FAILED"
COUNTS = (RESTARTS, LOG_ERRORS, CRON_RUNS, CRON_FAILED)
MEASUREMENTS = frozenset({*RESOURCES, *STATUS_CLASSES, *PERCENTILES, *NETWORK, *COUNTS})

_MB_PER_GB = 1_000

Row = tuple[float, str, str, float | None]


def build_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Rows of (Unix seconds, service, measurement, value) as a frame that keeps the contract."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    seconds = pd.to_numeric(frame["ts"]).astype("float64")
    return tidy(frame.assign(ts=pd.to_datetime(seconds, unit="s", utc=True)))


def tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with the contract's types and order.

    Rows without a value are dropped; of rows that measure the same thing twice the higher stays.
    """
    ts = pd.to_datetime(frame["ts"], utc=True)
    value = pd.to_numeric(frame["value"], errors="coerce").astype("float64")
    clean = pd.DataFrame(
        {
            "ts": ts.astype("datetime64[ns, UTC]"),
            "service": frame["service"].astype("str"),
            "measurement": frame["measurement"].astype("str"),
            "value": value.replace([np.inf, -np.inf], np.nan),
        }
    ).dropna()
    key = ["service", "measurement", "ts"]
    highest = clean.groupby(key, sort=True)["value"].max().reset_index()
    return highest[list(COLUMNS)]


def validate(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame; ValueError naming the first part of the contract that it breaks."""
    if tuple(frame.columns) != COLUMNS:
        raise ValueError(f"columns are {list(frame.columns)}, not {list(COLUMNS)}")
    if str(frame["ts"].dtype) != "datetime64[ns, UTC]":
        raise ValueError(f"ts is {frame['ts'].dtype}, not datetime64[ns, UTC]")
    if not np.isfinite(frame["value"].to_numpy(dtype="float64")).all():
        raise ValueError("value holds NaN or infinity; what was not measured has no row")
    unknown = set(frame["measurement"].unique()) - MEASUREMENTS
    if unknown:
        raise ValueError(f"unknown measurement {min(unknown)}")
    key = pd.MultiIndex.from_frame(frame[["service", "measurement", "ts"]])
    if not key.is_monotonic_increasing or not key.is_unique:
        raise ValueError("rows are not sorted by service, measurement and ts, or not unique")
    return frame


def clip(samples: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The samples of ``[start, end)`` and nothing else."""
    inside = (samples["ts"] >= window.start) & (samples["ts"] < window.end)
    return samples[inside].reset_index(drop=True)


def resource_rows(series: Iterable[WireSeries]) -> list[Row]:
    """CPU, memory and disk points as rows; series of no service are left out."""
    return [
        (point.ts, one.tags.service_id, one.measurement, point.value)
        for one in series
        if one.tags.service_id and one.measurement in MEASUREMENTS
        for point in one.points
    ]


def disk_rows(volumes: Iterable[Volume], samples: Iterable[Row], last: float) -> list[Row]:
    """Sizes of volumes as limits, at every time their use was measured.

    Where the metrics say nothing of a volume, its fill as the architecture tells it counts as
    measured in the last step.
    """
    measured: dict[str, list[float]] = {}
    for ts, of, what, _ in samples:
        if what == "DISK_USAGE_GB":
            measured.setdefault(of, []).append(ts)
    rows: list[Row] = []
    for volume in volumes:
        service, size = volume.service_id, volume.size_mb / _MB_PER_GB
        if service is None or size <= 0:
            continue
        times = measured.get(service, [])
        rows += [(ts, service, "DISK_LIMIT_GB", size) for ts in times or [last]]
        if not times:
            rows.append((last, service, "DISK_USAGE_GB", volume.used_mb / _MB_PER_GB))
    return rows


def http_rows(service_id: str, http: WireHttp) -> list[Row]:
    """Requests per status class and step, and latency percentiles, as rows."""
    counts: dict[tuple[int, int], float] = {}
    for series in http.statuses:
        for point in series.samples:
            if point.value is not None:
                key = point.ts, series.status // 100
                counts[key] = counts.get(key, 0.0) + point.value
    rows: list[Row] = [
        (ts, service_id, f"HTTP_{digit}XX", count)
        for (ts, digit), count in counts.items()
        if f"HTTP_{digit}XX" in MEASUREMENTS
    ]
    for sample in http.durations.samples:
        values = (sample.p50, sample.p95, sample.p99)
        rows += [(sample.ts, service_id, n, v) for n, v in zip(PERCENTILES, values, strict=True)]
    return rows


def status_codes(http: WireHttp, window: Window) -> Mapping[int, int]:
    """Requests per status code over the window."""
    start, end = window.start.timestamp(), window.end.timestamp()
    totals = {
        series.status: sum(point.value or 0 for point in series.samples if start <= point.ts < end)
        for series in http.statuses
    }
    return {code: round(count) for code, count in sorted(totals.items()) if count}
