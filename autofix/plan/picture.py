"""Small pictures of a signal: a line of blocks for a sentence, a Mermaid chart for a page."""

from __future__ import annotations

import re

from autofix.models import Chart
from autofix.sparkline import sparkline

_PLAIN = re.compile(r"[^\w .,%()-]")
_TICKS = 6
"""Times that are written below a chart."""


def render_sparkline(chart: Chart) -> str:
    """One block for each part of the window, a dot where nothing was measured."""
    measured = [v for v in chart.values if v is not None]
    top = max([*measured, chart.threshold or 0.0], default=0.0)
    return sparkline(list(chart.values), top)


def render_chart(chart: Chart, service: str) -> str:
    """A Mermaid line chart, its threshold as a flat line; empty with fewer than three values.

    Parts in which nothing was measured are left out: a gap is not zero.
    """
    points = [(i, v) for i, v in enumerate(chart.values) if v is not None]
    if len(points) < 3:  # noqa: PLR2004
        return ""
    values = [v for _, v in points]
    top = max([*values, chart.threshold or 0.0]) * 1.1 or 1.0
    lines = [
        "```mermaid",
        "xychart-beta",
        f'  title "{_plain(chart.label)} of {_plain(service)}, {_plain(chart.unit)}"',
        f"  x-axis {_axis(chart, [i for i, _ in points])}",
        f'  y-axis "{_plain(chart.unit)}" 0 --> {top:.6g}',
        "  line [" + ", ".join(f"{v:.6g}" for v in values) + "]",
    ]
    if chart.threshold is None:
        return "\n".join([*lines, "```"])
    lines.append("  line [" + ", ".join([f"{chart.threshold:.6g}"] * len(values)) + "]")
    flat = f"*The flat line is the threshold, {chart.threshold:,.6g} {_plain(chart.unit)}.*"
    return "\n".join([*lines, "```", "", flat])


def _axis(chart: Chart, parts: list[int]) -> str:
    """From the first to the last measured minute, or a name for each part where there are gaps."""
    part = (chart.end - chart.start) / len(chart.values)
    if parts == list(range(parts[0], parts[0] + len(parts))):
        first, last = (chart.start + i * part for i in (parts[0], parts[-1]))
        seconds = (last - first).total_seconds()
        length, unit = (seconds / 60, "min") if seconds >= 300 else (seconds, "s")  # noqa: PLR2004
        return f'"{unit} from {first:%H:%M:%S} UTC" 0 --> {length:.6g}'
    every = max(1, len(parts) // _TICKS)
    times = [f"{chart.start + i * part:%H:%M:%S}" for i in parts]
    # a name may stand on the axis only once
    labels = [t if i % every == 0 else " " * (i + 1) for i, t in enumerate(times)]
    return "[" + ", ".join(f'"{label}"' for label in labels) + "]"


def _plain(text: str) -> str:
    """Nothing that could end a title."""
    return _PLAIN.sub(" ", " ".join(text.split()))[:60]
