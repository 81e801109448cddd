"""What is counted per step: restarts, error lines, runs of crons.

A count of zero is a measurement here, so zeros stand only where everything was counted: after
the oldest line of a log that did not fit.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from autofix.models import Window
from autofix.observe.frames import CRON_FAILED, CRON_RUNS, LOG_ERRORS, RESTARTS, Row
from autofix.observe.wire import Connection, LogLine, WireRun, WireStamp

_START, _STOP = r"^Starting Container\b", r"^Stopping Container\b"
_RESTART = r"^(?:Container restarted|Restarting container)\b"
_FAILED_RUN = frozenset({"CRASHED"})


@dataclass(frozen=True)
class Steps:
    """The steps of a window in which everything was counted."""

    window: Window
    step: timedelta
    since: datetime | None = None
    """Nothing before this was counted; None when everything was."""

    def __iter__(self) -> Iterator[float]:
        """Their starts in Unix seconds."""
        start, seconds = self.window.start.timestamp(), self.step.total_seconds()
        first = 0
        if self.since is not None and self.since > self.window.start:
            first = math.ceil((self.since - self.window.start) / self.step)
        for i in range(first, math.ceil(self.window.length / self.step)):
            yield start + i * seconds

    def of(self, at: datetime) -> float:
        """The start of the step that this falls into."""
        start, seconds = self.window.start.timestamp(), self.step.total_seconds()
        return start + (at.timestamp() - start) // seconds * seconds

    def rows(
        self, measurement: str, services: Iterable[str], hits: Counter[tuple[float, str]]
    ) -> list[Row]:
        """One row a step and service, zeros included."""
        return [
            (ts, service, measurement, float(hits[ts, service]))
            for ts in self
            for service in services
        ]


def restart_rows(
    lines: Sequence[LogLine],
    services: Iterable[str],
    window: Window,
    step: timedelta,
    since: datetime | None = None,
) -> list[Row]:
    """Unplanned restarts per step, counted from the platform's own lines.

    A start counts when the platform's line before it, of the same deployment and within the
    lines, was not a stop. The first line of a deployment says nothing: it may be a deploy, or a
    service that woke up.
    """
    steps = Steps(window, step, since)
    hits: Counter[tuple[float, str]] = Counter()
    log = _platform_lines(lines)
    if not log.empty:
        message, previous = log["message"], log.groupby("deployment")["message"].shift()
        started = message.str.contains(_START) & previous.notna()
        started &= ~previous.fillna("").str.contains(_STOP)
        restarted = log[started | message.str.contains(_RESTART)]
        hits.update(
            (steps.of(at), str(service))
            for at, service in zip(restarted["at"], restarted["service"], strict=True)
        )
    return steps.rows(RESTARTS, list(services), hits)


def error_rows(
    stamps: Iterable[WireStamp],
    services: Iterable[str],
    window: Window,
    step: timedelta,
    since: datetime | None = None,
) -> list[Row]:
    """Lines per step that were logged as errors. Plain output on stderr counts as such."""
    steps = Steps(window, step, since)
    hits = Counter(
        (steps.of(stamp.at), stamp.tags.service_id)
        for stamp in stamps
        if stamp.tags is not None and stamp.tags.service_id
    )
    return steps.rows(LOG_ERRORS, list(services), hits)


def run_rows(
    runs: Mapping[str, Connection[WireRun]], window: Window, step: timedelta
) -> tuple[list[Row], dict[str, str]]:
    """Runs of crons by the step they began in, failed ones by the step they ended in.

    Returns:
        The rows, and by service id why its runs could not be counted.
    """
    rows: list[Row] = []
    uncounted: dict[str, str] = {}
    for service, connection in runs.items():
        since = _counted_since(connection)
        if since is not None and since >= window.end:
            uncounted[service] = "its runs come oldest first, and the newest did not fit"
            continue
        steps = Steps(window, step, since)
        begun = Counter((steps.of(run.created_at), service) for run in connection.nodes)
        failed = Counter(
            (steps.of(run.completed_at or run.created_at), service)
            for run in connection.nodes
            if run.status in _FAILED_RUN
        )
        rows += steps.rows(CRON_RUNS, [service], begun)
        rows += steps.rows(CRON_FAILED, [service], failed)
    return rows, uncounted


def _counted_since(connection: Connection[WireRun]) -> datetime | None:
    """From when on every run is there; None for always, the end of time for never.

    The API does not document the order of runs; a page that is not the last one counts only when
    its own order shows that the newest come first.
    """
    times = [run.created_at for run in connection.nodes]
    if not (connection.page and connection.page.more) or not times:
        return None
    is_newest_first = times == sorted(times, reverse=True) and times[0] > times[-1]
    return times[-1] if is_newest_first else datetime.max.replace(tzinfo=times[0].tzinfo)


def _platform_lines(lines: Sequence[LogLine]) -> pd.DataFrame:
    """The platform's lines about containers; JSON lines of the application never match."""
    frame = pd.DataFrame(
        [
            (line.at, line.tags.service_id, line.tags.deployment_id, line.message)
            for line in lines
            if line.tags is not None and line.tags.service_id
        ],
        columns=["at", "service", "deployment", "message"],
    )
    if frame.empty:
        return frame
    wanted = frame["message"].str.contains(f"{_START}|{_STOP}|{_RESTART}|^Container killed")
    return frame[wanted].sort_values("at", kind="stable")
