"""Measurements per step: averages of samples, counts and percentiles of requests."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sandbox.blueprint import ENVIRONMENT_ID, PROJECT_ID, REGION, stable_id
from sandbox.records import Deployment, Request

DEFAULT_STEP = 60
# What adds up over the deployments that run in the same second; a limit does not.
_SUMMED = {"CPU_USAGE", "MEMORY_USAGE_GB", "NETWORK_RX_GB", "NETWORK_TX_GB"}

Json = dict[str, Any]

TAGS: dict[str, tuple[str, Callable[[Deployment], str]]] = {
    "SERVICE_ID": ("serviceId", lambda d: d.spec.id),
    "DEPLOYMENT_ID": ("deploymentId", lambda d: d.id),
    "DEPLOYMENT_INSTANCE_ID": ("deploymentInstanceId", lambda d: d.instance_id),
    "ENVIRONMENT_ID": ("environmentId", lambda _d: ENVIRONMENT_ID),
    "PROJECT_ID": ("projectId", lambda _d: PROJECT_ID),
    "REGION": ("region", lambda _d: REGION),
    "VOLUME_ID": ("volumeId", lambda d: stable_id("volume", d.spec.name)),
}


def resource_metrics(
    deployments: Iterable[Deployment],
    measurements: Sequence[str],
    group_by: Sequence[str],
    span: tuple[datetime, datetime],
    step: int | None,
) -> list[Json]:
    """Averages per step and group; a step in which nothing was measured has no value."""
    groups: dict[tuple[tuple[str, str], ...], list[Deployment]] = defaultdict(list)
    for deployment in deployments:
        tags = tuple((TAGS[tag][0], TAGS[tag][1](deployment)) for tag in group_by)
        groups[tags].append(deployment)
    results = []
    for tags, members in groups.items():
        for measurement in measurements:
            values = _averages(members, measurement, span, step or DEFAULT_STEP)
            if values:
                results.append({"measurement": measurement, "tags": dict(tags), "values": values})
    return results


def _averages(
    deployments: list[Deployment], measurement: str, span: tuple[datetime, datetime], step: int
) -> list[Json]:
    start, end = span[0].timestamp(), span[1].timestamp()
    seconds: dict[int, float] = {}
    for deployment in deployments:
        for sample in tuple(deployment.samples):
            value = sample.values.get(measurement)
            if value is None or not start <= sample.ts < end:
                continue
            before = seconds.get(sample.ts)
            if before is not None:
                value = before + value if measurement in _SUMMED else max(before, value)
            seconds[sample.ts] = value
    steps: dict[int, list[float]] = defaultdict(list)
    for ts, value in seconds.items():
        steps[_step_start(ts, start, step)].append(value)
    return [{"ts": ts, "value": sum(v) / len(v)} for ts, v in sorted(steps.items())]


def http_counts(
    requests: Iterable[Request], span: tuple[datetime, datetime], step: int | None
) -> list[Json]:
    """Requests per step; a step without any has no sample."""
    steps = _by_step(requests, span, step)
    return [{"ts": ts, "value": float(len(rows))} for ts, rows in sorted(steps.items())]


def http_counts_by_status(
    requests: Iterable[Request], span: tuple[datetime, datetime], step: int | None
) -> list[Json]:
    """Requests per status and step."""
    by_status: dict[int, list[Request]] = defaultdict(list)
    for request in requests:
        by_status[request.status].append(request)
    results = (
        {"statusCode": status, "samples": http_counts(rows, span, step)}
        for status, rows in sorted(by_status.items())
    )
    return [result for result in results if result["samples"]]


def http_durations(
    requests: Iterable[Request], span: tuple[datetime, datetime], step: int | None
) -> list[Json]:
    """Percentiles of the durations per step; a step without requests has no sample."""
    samples = []
    for ts, rows in sorted(_by_step(requests, span, step).items()):
        durations = sorted(float(request.total_ms) for request in rows)
        values = {f"p{share}": percentile(durations, share) for share in (50, 90, 95, 99)}
        samples.append({"ts": ts, **values})
    return samples


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ordered values."""
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


def _by_step(
    requests: Iterable[Request], span: tuple[datetime, datetime], step: int | None
) -> dict[int, list[Request]]:
    start, end = span[0].timestamp(), span[1].timestamp()
    width = step or max(1, math.ceil(end - start))
    found: dict[int, list[Request]] = defaultdict(list)
    for request in requests:
        if start <= (at := request.at.timestamp()) < end:
            found[_step_start(at, start, width)].append(request)
    return found


def _step_start(at: float, start: float, step: int) -> int:
    return math.floor(start) + int((at - start) // step) * step
