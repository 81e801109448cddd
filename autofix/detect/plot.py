"""A picture of a finding: the signal, its threshold, the window and the onset."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from autofix.detect.course import Course
from autofix.detect.grid import Array, build_grid, moment, nanoseconds
from autofix.detect.replay import Episode, Replay
from autofix.detect.view import WINDOW
from autofix.errors import ConfigError
from autofix.models import Finding, Pattern, Signal

MAX_PICTURES = 500
_BEFORE = timedelta(hours=6)
"""How much is shown before the tick, or before the onset when that is earlier."""
_MOST_STEPS = 2_000


def require_matplotlib() -> None:
    """ConfigError with what to install when pictures cannot be drawn."""
    try:
        import matplotlib.figure  # noqa: F401, PLC0415 - optional
    except ImportError:
        raise ConfigError(
            "--plot needs matplotlib: pip install 'railway-autofix[plot]', or pip install matplotlib"
        ) from None


def plot_episodes(replay: Replay, episodes: Sequence[Episode], folder: Path) -> int:
    """One picture for each signal of each trouble, at the first tick that names it.

    Returns:
        How many were drawn.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    findings: list[Finding] = []
    for episode in episodes:
        first: dict[Signal, Finding] = {}
        for finding in episode.findings:
            first.setdefault(finding.signal, finding)
        findings += first.values()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for finding in findings[:MAX_PICTURES]:
            _draw(replay, finding).savefig(folder / _name(finding), dpi=100)
    except OSError as error:
        raise ConfigError(f"--plot {folder} cannot be written: {error.strerror}") from error
    return min(len(findings), MAX_PICTURES)


def _draw(replay: Replay, finding: Finding) -> Any:
    from matplotlib.dates import DateFormatter  # noqa: PLC0415 - optional
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes: Any = figure.subplots()
    times, values = _series(replay, finding)
    axes.plot(times, values, linewidth=1, color="#1f6feb")
    axes.axvspan(finding.ts - replay.window, finding.ts, color="#f0f2f5", zorder=0, label="window")
    axes.axvline(
        finding.onset, color="#8250df", linestyle=":", label=f"onset {finding.onset:%H:%M}"
    )
    if finding.pattern is not Pattern.counted:
        label = f"threshold {finding.threshold:.4g} {finding.unit}"
        axes.axhline(finding.threshold, color="#cf222e", linestyle="--", linewidth=1, label=label)
    axes.set_title(f"{finding.service}: {finding.reason}", fontsize=8, loc="left", wrap=True)
    axes.set_ylabel(_AXES[finding.signal][0])
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    axes.legend(fontsize=7, loc="upper left")
    return figure


def _series(replay: Replay, finding: Finding) -> tuple[list[Any], Array]:
    """The signal until the tick; a step that was not measured is a gap in the line."""
    start = min(finding.onset, finding.ts - _BEFORE) - replay.window
    step = max(round(replay.window.total_seconds() * 1e9) // WINDOW, 1)
    span = nanoseconds(finding.ts) - nanoseconds(start)
    step = max(step, span // _MOST_STEPS)
    steps = max(1, span // step)
    first = nanoseconds(finding.ts) - steps * step
    course = Course(build_grid(replay.recording.only({finding.service}), first, step, steps))
    values = _AXES[finding.signal][1](course)[0]
    seen = ~np.isnan(values)
    times = [moment(first + i * step) for i in np.flatnonzero(seen).tolist()]
    return times, values[seen]


def _share(digit: int) -> Callable[[Course], Array]:
    def share(course: Course) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            percent: Array = 100 * course.of_class(digit) / course.requests
        return percent

    return share


def _memory(course: Course) -> Array:
    return (
        course.memory
        if not np.isnan(course.memory).all()
        else course.grid.column("MEMORY_USAGE_GB")
    )


_AXES: dict[Signal, tuple[str, Callable[[Course], Array]]] = {
    Signal.cpu: ("CPU, % of limit", lambda course: course.cpu),
    Signal.memory: ("memory, % of limit", lambda course: course.memory),
    Signal.disk: ("volume, % full", lambda course: course.disk),
    Signal.http_5xx: ("5xx, % of requests", _share(5)),
    Signal.http_4xx: ("4xx, % of requests", _share(4)),
    Signal.latency: ("p95, ms", lambda course: course.p95),
    Signal.silence: ("requests a minute", lambda course: course.per_minute),
    Signal.crash_loop: ("memory, % of limit or GB", _memory),
    Signal.log_errors: ("error lines", lambda course: course.log_errors),
    Signal.cron_failed: ("failed runs", lambda course: course.grid.column("CRON_FAILED")),
    Signal.build_failure: ("requests a minute", lambda course: course.per_minute),
}


def _name(finding: Finding) -> str:
    service = re.sub(r"[^A-Za-z0-9._-]+", "-", finding.service)[:60].strip(".-") or "service"
    return f"{service}-{finding.signal.value}-{finding.ts:%Y%m%dT%H%M}.png"
