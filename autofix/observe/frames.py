"""Wire to tidy frames, and the contract of a frame.

A frame of samples has four columns and one row per measured value, sorted by service,
measurement and ts:

- `ts`: start of the step, ``datetime64[ns, UTC]``
- `service`: Railway's service id
- `measurement`: one of `MEASUREMENTS`
- `value`: float; what was not measured has no row

CPU is in vCPU, `_GB` in gigabytes, `HTTP_nXX` in requests per step, `HTTP_Pn_MS` in
milliseconds, `RESTARTS` in unplanned restarts per step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import numpy as np
import pandas as pd

from autofix.models import Volume, Window
from autofix.observe.wire import LogLine, WireHttp, WireSeries

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
RESTARTS = "RESTARTS"
MEASUREMENTS = frozenset({*RESOURCES, *STATUS_CLASSES, *PERCENTILES, RESTARTS})

_MB_PER_GB = 1_000
_START, _STOP = r"^Starting Container\b", r"^Stopping Container\b"
_RESTART = r"^(?:Container restarted|Restarting container)\b"

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


def restart_rows(
    lines: Sequence[LogLine], services: Iterable[str], window: Window, step: timedelta
) -> list[Row]:
    """Unplanned restarts per step, counted from the platform's own lines; zero is a count here.

    A start counts when the platform's line before it, of the same deployment and within the
    lines, was not a stop. The first line of a deployment says nothing: it may be a deploy, or a
    service that woke up.
    """
    start, seconds = window.start.timestamp(), step.total_seconds()
    ticks = [start + i * seconds for i in range(math.ceil(window.length / step))]
    rows: list[Row] = [(ts, service, RESTARTS, 0.0) for service in services for ts in ticks]
    log = _platform_lines(lines)
    if log.empty or not rows:
        return rows
    message, previous = log["message"], log.groupby("deployment")["message"].shift()
    started = message.str.contains(_START) & previous.notna()
    started &= ~previous.fillna("").str.contains(_STOP)
    hits = log[started | message.str.contains(_RESTART)]
    ts = start + (hits["ts"] - start) // seconds * seconds
    counted = hits.assign(ts=ts).groupby(["ts", "service"]).size().reset_index(name="count")
    return rows + [
        (float(at), str(service), RESTARTS, float(count))
        for at, service, count in counted.itertuples(index=False)
    ]


def _platform_lines(lines: Sequence[LogLine]) -> pd.DataFrame:
    """The platform's lines about containers; JSON lines of the application never match."""
    frame = pd.DataFrame(
        [
            (line.at.timestamp(), line.tags.service_id, line.tags.deployment_id, line.message)
            for line in lines
            if line.tags is not None and line.tags.service_id
        ],
        columns=["ts", "service", "deployment", "message"],
    )
    if frame.empty:
        return frame
    wanted = frame["message"].str.contains(f"{_START}|{_STOP}|{_RESTART}|^Container killed")
    return frame[wanted].sort_values("ts", kind="stable")


def status_codes(http: WireHttp, window: Window) -> Mapping[int, int]:
    """Requests per status code over the window."""
    start, end = window.start.timestamp(), window.end.timestamp()
    totals = {
        series.status: sum(point.value or 0 for point in series.samples if start <= point.ts < end)
        for series in http.statuses
    }
    return {code: round(count) for code, count in sorted(totals.items()) if count}
