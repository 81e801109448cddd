"""HTTP metrics from raw request logs, for a schema that has no HTTP metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from autofix.models import Deployment, Window
from autofix.observe.events import Steps
from autofix.observe.wire import (
    WireDurations,
    WireDurationSeries,
    WireHttp,
    WirePoint,
    WireRequest,
    WireStatusSeries,
)

Rows = npt.NDArray[np.float64]
"""One row a request."""
_NEVER_SERVED = frozenset({"FAILED", "SKIPPED", "BUILDING", "QUEUED", "INITIALIZING", "WAITING"})
_DEPLOYMENTS = 2
_TAKEOVER = timedelta(minutes=15)
"""A deployment serves some time after it was created: it is built first, and the one before it
drains."""


def find_serving(deployments: Iterable[Deployment], window: Window) -> list[str]:
    """Ids of the newest deployments of one service that served in the window."""
    served = [d for d in deployments if d.status not in _NEVER_SERVED and d.created_at < window.end]
    newest = sorted({d.id: d for d in served}.values(), key=lambda d: d.created_at, reverse=True)
    before = [i for i, d in enumerate(newest) if d.created_at <= window.start - _TAKEOVER]
    return [d.id for d in (newest[: before[0] + 1] if before else newest)][:_DEPLOYMENTS]


def pack(requests: Iterable[WireRequest]) -> Rows:
    """Time in Unix seconds, status and milliseconds: many logs are held at once."""
    rows = [(r.at.timestamp(), r.status, r.total_ms) for r in requests]
    return np.array(rows, dtype="float64").reshape(-1, 3)


def build_http(requests: Rows, window: Window, step: timedelta, since: datetime | None) -> WireHttp:
    """Requests per status and latency percentiles of each step that was read whole.

    Args:
        requests: as `pack` gives them, in any order.
        window: the steps begin with it.
        step: length of a step.
        since: nothing before this was read; None when everything was.
    """
    start, seconds = window.start.timestamp(), step.total_seconds()
    at = start + (requests[:, 0] - start) // seconds * seconds
    frame = pd.DataFrame({"ts": at, "status": requests[:, 1].astype(int), "ms": requests[:, 2]})
    frame = frame[frame["ts"].isin(list(Steps(window, step, since)))]
    counts = frame.groupby(["status", "ts"]).size().reset_index(name="n")
    points: dict[int, list[WirePoint]] = defaultdict(list)
    for status, ts, n in counts.itertuples(index=False):
        points[int(status)].append(WirePoint(ts=int(ts), value=float(n)))
    return WireHttp(
        statuses=[WireStatusSeries(status=status, samples=of) for status, of in points.items()],
        durations=WireDurationSeries(
            samples=[
                _percentiles(int(ts), frame.loc[frame["ts"] == ts, "ms"])
                for ts in np.unique(frame["ts"])
            ]
        ),
    )


def _percentiles(ts: int, durations: pd.Series) -> WireDurations:
    p50, p95, p99 = np.percentile(durations, [50, 95, 99], method="inverted_cdf")
    return WireDurations(ts=ts, p50=p50, p95=p95, p99=p99)
