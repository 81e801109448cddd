"""CPU, memory, disk and network of every service of the environment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autofix.models import Window
from autofix.observe.answers import QueryError
from autofix.observe.api import Api
from autofix.observe.graphql import load_query, render_seconds, render_time
from autofix.observe.limits import DISK, LIMITS, NETWORK, USAGE, Sampling
from autofix.observe.wire import WireSeries, WireStamp, parse

_GROUPS = {"usage": USAGE, "limits": LIMITS, "disk": DISK, "network": NETWORK}
"""Measurements by the alias that asks for them."""


@dataclass(frozen=True)
class Resources:
    """Metrics of every service, and for a baseline when errors were logged."""

    series: list[WireSeries]
    errors: list[WireStamp] | None = None
    errors_since: datetime | None = None


def fetch_resources(
    api: Api,
    window: Window,
    sampling: Sampling,
    services: Collection[str],
    *,
    errors: bool = False,
) -> Resources:
    """What `RailwayClient.fetch_resources` promises."""
    series: list[WireSeries] = []
    found: list[Any] | None = None
    parts = list(sampling.cut(window))
    wanted = frozenset(services)
    for part in parts:
        with_errors = errors and part is parts[-1]
        data = _ask(api, window, part, sampling, wanted, errors=with_errors)
        found_series = (s for name in _GROUPS for s in data.get(name) or [])
        series += [parse(WireSeries, s) for s in found_series if _is_of(s, wanted)]
        found = data.get("errors") if with_errors else None
    if found is None:
        return Resources(series)
    stamps = [parse(WireStamp, item) for item in found]
    full = len(stamps) >= api.limits.log_rows
    return Resources(series, stamps, min(s.at for s in stamps) if full else None)


def _is_of(series: Any, services: Collection[str]) -> bool:
    """Whether it is about one of these; what has another shape is left for `parse` to name."""
    match series:
        case {"tags": {"serviceId": str(service)}}:
            return service in services
    return True


def _ask(
    api: Api,
    window: Window,
    part: Window,
    sampling: Sampling,
    services: Collection[str],
    *,
    errors: bool,
) -> dict[str, Any]:
    variables: dict[str, Any] = {
        "projectId": api.project,
        "environmentId": api.environment,
        "serviceId": next(iter(services)) if len(services) == 1 else None,
        "start": render_time(part.start),
        "end": render_time(part.end),
        "step": render_seconds(sampling.step),
        **{name: set(group) <= set(sampling.measurements) for name, group in _GROUPS.items()},
        "logStart": render_time(window.start),
        "logEnd": render_time(window.end),
        "logLimit": api.limits.log_rows,
    }
    query = load_query("resources")
    try:
        return api.execute(query, {**variables, "errors": errors}, splittable=errors)
    except QueryError as error:
        if not errors or error.aliases != {"errors"}:
            raise
        return api.execute(query, {**variables, "errors": False})
