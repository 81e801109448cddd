"""HTTP metrics of many services, from the API's own or from samples of raw requests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from autofix.errors import RailwayError
from autofix.models import Window
from autofix.observe.answers import QueryError, Refusal
from autofix.observe.api import HTTP_FIELDS, Api
from autofix.observe.batches import Batched, read_in_batches
from autofix.observe.graphql import render_seconds, render_time, repeat_query
from autofix.observe.http_sample import Rows, build_http, pack
from autofix.observe.wire import WireHttp, WireRequest, parse

_ALIASES, _SELECTIONS, _VALUES = 2, 12, 8
"""What one service costs: aliases, selected fields, and values a step (a few status codes, three
percentiles)."""
_SAMPLE_SELECTIONS = 4


@dataclass(frozen=True)
class HttpReading:
    """HTTP metrics by service id, and why the others could not be read."""

    services: Mapping[str, WireHttp] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    sampled: Mapping[str, str] = field(default_factory=dict)
    """By service id, of which part of its requests the metrics are."""


def fetch_http(
    api: Api,
    service_ids: Iterable[str],
    window: Window,
    step: timedelta,
    serving: Mapping[str, Sequence[str]] | None = None,
) -> HttpReading:
    """What `RailwayClient.fetch_http` promises."""
    ids = list(dict.fromkeys(service_ids))
    read: Batched[WireHttp] = Batched(failed=dict.fromkeys(ids, "the schema has no metrics"))
    if not api.lacks(HTTP_FIELDS):
        points = _VALUES * math.ceil(window.length / step)
        size = api.limits.batch(_ALIASES, _SELECTIONS, points)
        read = read_in_batches(
            ids, size, lambda batch: _ask_http(api, batch, window, step), api.pool
        )
    if not api.lacks(HTTP_FIELDS) or serving is None:
        return HttpReading(read.found, read.failed)
    return _sample_http(api, {i: serving.get(i, ()) for i in ids}, window, step)


def _ask_http(
    api: Api, service_ids: Sequence[str], window: Window, step: timedelta
) -> dict[str, WireHttp]:
    variables: dict[str, Any] = {
        "environmentId": api.environment,
        "start": render_time(window.start),
        "end": render_time(window.end),
        "step": render_seconds(step),
    }
    variables |= {f"service{i}": service_id for i, service_id in enumerate(service_ids)}
    query = repeat_query("http", len(service_ids))
    try:
        data = api.execute(query, variables, splittable=len(service_ids) > 1)
    except QueryError as error:
        if error.refusal is Refusal.invalid:
            api.probe()
        raise
    return {service: _parse_http(data, i) for i, service in enumerate(service_ids)}


def _parse_http(data: Mapping[str, Any], position: int) -> WireHttp:
    """One service's part; of another shape it counts as its alias failing, not as all of them."""
    alias = f"statuses{position}"
    fields = {"statuses": data.get(alias), "durations": data.get(f"durations{position}")}
    try:
        return parse(WireHttp, fields)
    except RailwayError as error:
        reason = str(error).removeprefix(f"{error.service}: ")
        raise QueryError(reason, Refusal.failed, aliases=frozenset({alias})) from error


def _sample_http(
    api: Api, serving: Mapping[str, Sequence[str]], window: Window, step: timedelta
) -> HttpReading:
    """The same from the newest requests of each deployment."""
    deployments = [d for of_service in serving.values() for d in of_service]
    size = api.limits.batch(1, _SAMPLE_SELECTIONS, api.limits.log_rows)
    read = read_in_batches(
        deployments, size, lambda batch: _ask_requests(api, batch, window), api.pool
    )
    services: dict[str, WireHttp] = {}
    failed: dict[str, str] = {}
    sampled: dict[str, str] = {}
    for service_id, of_service in serving.items():
        reasons = [read.failed[d] for d in of_service if d in read.failed]
        if reasons:
            failed[service_id] = reasons[0]
            continue
        logs = [read.found[d] for d in of_service]
        full = [float(log[:, 0].min()) for log in logs if len(log) >= api.limits.log_rows]
        since = datetime.fromtimestamp(max(full), UTC) if full else None
        rows = np.concatenate([pack([]), *logs])
        services[service_id] = build_http(rows, window, step, since)
        if since is not None:
            sampled[service_id] = (
                f"rates and latency come from a sample: the newest {len(rows):,} requests, "
                f"since {since:%H:%M:%S} UTC"
            )
    return HttpReading(services, failed, sampled)


def _ask_requests(api: Api, deployment_ids: Sequence[str], window: Window) -> dict[str, Rows]:
    variables: dict[str, Any] = {
        "start": render_time(window.start),
        "end": render_time(window.end),
        "limit": api.limits.log_rows,
    }
    variables |= {f"deployment{i}": id_ for i, id_ in enumerate(deployment_ids)}
    query = repeat_query("http_sample", len(deployment_ids))
    data = api.execute(query, variables, splittable=len(deployment_ids) > 1)
    return {
        id_: pack(parse(WireRequest, item) for item in data.get(f"requests{i}") or [])
        for i, id_ in enumerate(deployment_ids)
    }
