"""Metrics over a window as text: a sparkline a signal, where it began and ended, its limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from autofix.models import Window
from autofix.observe.frames import STATUS_CLASSES

WIDTH = 24
"""Blocks of a line at most."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "·"


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
    own = samples[samples["service"] == service_id]
    width = _width(own, window)
    rendered = (_render_line(own, line, window, width) for line in lines)
    return "\n".join(text for text in rendered if text)


def sparkline(values: list[float | None], top: float) -> str:
    """One block a value between zero and the top; a dot where nothing was measured."""
    return "".join(
        _GAP if v is None else _BLOCKS[round(min(1.0, max(0.0, v / top)) * 7) if top > 0 else 0]
        for v in values
    )


def percent_of_limit(samples: pd.DataFrame, service_id: str, line: Line) -> float | None:
    """Average use in percent of the limit; None when one of the two was not measured."""
    own = samples[samples["service"] == service_id]
    usage = own.loc[own["measurement"] == line.measurement, "value"]
    limits = own.loc[own["measurement"] == line.limit, "value"]
    if usage.empty or limits.empty or limits.iloc[-1] <= 0:
        return None
    return 100 * float(usage.mean()) / float(limits.iloc[-1])


def _width(own: pd.DataFrame, window: Window) -> int:
    """Parts of the window, none of them shorter than a step: else each would look like a gap."""
    times = own["ts"].drop_duplicates().sort_values()
    step = times.diff().min()
    if len(times) < 2 or not step or pd.isna(step):  # noqa: PLR2004
        return WIDTH
    return max(1, min(WIDTH, int(window.length / step.to_pytimedelta())))


def _render_line(own: pd.DataFrame, line: Line, window: Window, width: int) -> str:
    points = _points(own, line)
    values = points["value"]
    if values.empty or (line.unit == "a step" and not values.any()):
        return ""
    limits = own.loc[own["measurement"] == line.limit, "value"] * line.factor
    limit = float(limits.iloc[-1]) if len(limits) and limits.iloc[-1] > 0 else None
    shown = [_number(v) for v in (values.iloc[0], values.iloc[-1], values.mean(), values.max())]
    text = (
        f"{line.label:<8} {sparkline(_buckets(points, window, width), limit or float(values.max()))}  "
        f"{shown[0]} → {shown[1]} {line.unit}, average {shown[2]}, maximum {shown[3]}"
    )
    if limit is None:
        return text
    return f"{text}, limit {_number(limit)} ({100 * values.mean() / limit:.0f} % used on average)"


def _points(own: pd.DataFrame, line: Line) -> pd.DataFrame:
    """The samples of one line in order.

    Beside a status class that was measured, one that was not named is a true zero.
    """
    points = own[own["measurement"] == line.measurement].set_index("ts")["value"] * line.factor
    if line.measurement in STATUS_CLASSES:
        measured = own.loc[own["measurement"].isin(STATUS_CLASSES), "ts"].unique()
        points = points.reindex(measured, fill_value=0.0)
    return points.sort_index().rename_axis("ts").reset_index(name="value")


def _buckets(points: pd.DataFrame, window: Window, width: int) -> list[float | None]:
    """The window in parts, the highest value of each."""
    elapsed = (points["ts"] - pd.Timestamp(window.start)).dt.total_seconds()
    part = np.floor(elapsed / window.length.total_seconds() * width).clip(0, width - 1).astype(int)
    highest = points["value"].groupby(part).max()
    return [float(highest[i]) if i in highest.index else None for i in range(width)]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004
