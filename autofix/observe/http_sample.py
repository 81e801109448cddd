"""HTTP metrics from raw request logs, for a schema that has no HTTP metrics."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

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


def build_http(
    requests: Sequence[WireRequest], window: Window, step: timedelta, since: datetime | None
) -> WireHttp:
    """Requests per status and latency percentiles of each step that was read whole.

    Args:
        requests: in any order.
        window: the steps begin with it.
        step: length of a step.
        since: nothing before this was read; None when everything was.
    """
    steps = Steps(window, step, since)
    whole = set(steps)
    counts: dict[int, Counter[float]] = defaultdict(Counter)
    durations: dict[float, list[float]] = defaultdict(list)
    for request in requests:
        ts = steps.of(request.at)
        if ts in whole:
            counts[request.status][ts] += 1
            durations[ts].append(request.total_ms)
    return WireHttp(
        statuses=[
            WireStatusSeries(
                status=status,
                samples=[WirePoint(ts=int(ts), value=n) for ts, n in sorted(of_step.items())],
            )
            for status, of_step in sorted(counts.items())
        ],
        durations=WireDurationSeries(
            samples=[_percentiles(int(ts), values) for ts, values in sorted(durations.items())]
        ),
    )


def _percentiles(ts: int, values: list[float]) -> WireDurations:
    ordered = sorted(values)
    p50, p95, p99 = (
        ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)] for share in (50, 95, 99)
    )
    return WireDurations(ts=ts, p50=p50, p95=p95, p99=p99)
