"""One look at a slice of time: what runs, its samples, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pandas as pd

from autofix.errors import RailwayError
from autofix.models import Architecture, Level, Service, ServiceKind, ServiceSummary, Window
from autofix.observe import frames
from autofix.observe.railway import RailwayClient
from autofix.observe.wire import WireHttp
from autofix.parameters import ServiceSelection

_PLATFORM_LINES = "Container"
"""Substring of the platform's own lines about starts, stops and restarts."""
_MB_PER_GB = 1_000


@dataclass(frozen=True)
class Observation:
    """Everything that the detector reads, and nothing after the window's end."""

    window: Window
    step: timedelta
    architecture: Architecture
    selected: tuple[Service, ...]
    """The watched services."""
    samples: pd.DataFrame
    """As `frames.validate` demands."""
    status_codes: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Requests per HTTP status code over the window, by service id."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Why a service could not be read, by service id."""

    @property
    def is_enough(self) -> bool:
        """Whether at least half of the watched services were read."""
        return 2 * len(self.unknown) <= len(self.selected)


def observe(
    client: RailwayClient, window: Window, step: timedelta, selection: ServiceSelection
) -> Observation:
    """The observation of the selected services.

    Raises:
        RailwayError: the API cannot be read, or fewer than half of the services could be.
    """
    architecture = client.fetch_architecture()
    observation = read_services(client, architecture, select(architecture, selection), window, step)
    if not observation.is_enough:
        raise RailwayError(describe_too_few(observation), retryable=True)
    return observation


def select(architecture: Architecture, selection: ServiceSelection) -> tuple[Service, ...]:
    """The services that are watched: selected by name, and deployed at least once."""
    return tuple(s for s in architecture.services if s.deployment and selection.selects(s.name))


def describe_too_few(observation: Observation) -> str:
    """One line on how many services could not be read, and why the first could not."""
    unread, total = len(observation.unknown), len(observation.selected)
    first = next(iter(observation.unknown.values()), "")
    return f"only {total - unread} of {total} services could be read: {first}"


def read_services(
    client: RailwayClient,
    architecture: Architecture,
    services: Sequence[Service],
    window: Window,
    step: timedelta,
) -> Observation:
    """The observation of these services, however many of them could be read."""
    try:
        series = client.fetch_resources(window, step)
    except RailwayError as error:
        unread = {s.id: str(error) for s in services}
        empty = frames.build_frame([])
        return Observation(window, step, architecture, tuple(services), empty, unknown=unread)
    ids = {s.id for s in services}
    rows = [row for row in frames.resource_rows(series) if row[1] in ids]
    volumes = [v for v in architecture.volumes if v.service_id in ids]
    rows += frames.disk_rows(volumes, rows, window.end.timestamp() - step.total_seconds())
    http = client.fetch_http([s.id for s in services if s.domains], window, step)
    for service_id, reading in http.services.items():
        rows += frames.http_rows(service_id, reading)
    rows += _restarts(client, services, window, step)
    samples = clip(frames.build_frame(rows), window)
    return Observation(
        window=window,
        step=step,
        architecture=architecture,
        selected=tuple(services),
        samples=frames.validate(samples),
        status_codes={k: frames.status_codes(v, window) for k, v in http.services.items()},
        unknown=_unmeasured(services, samples, http.services) | dict(http.failed),
    )


def clip(samples: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The samples of ``[start, end)`` and nothing else."""
    inside = (samples["ts"] >= window.start) & (samples["ts"] < window.end)
    return samples[inside].reset_index(drop=True)


def summarise(observation: Observation) -> tuple[ServiceSummary, ...]:
    """One summary a watched service.

    Percentiles of a window cannot be had from percentiles of its steps. What stands here is their
    mean weighted by the requests of each step: close to the true one at level traffic, below it
    when a few steps are far slower than the rest.
    """
    by_service = dict(iter(observation.samples.groupby("service")))
    return tuple(
        _summary(s, by_service.get(s.id, observation.samples.iloc[:0]), observation)
        for s in observation.selected
    )


def _restarts(
    client: RailwayClient, services: Sequence[Service], window: Window, step: timedelta
) -> list[frames.Row]:
    """Restarts of long-running services; no rows at all where the log cannot be read."""
    try:
        lines = client.fetch_environment_log(window, filter_=_PLATFORM_LINES)
    except RailwayError:
        return []
    ids = {s.id for s in services if s.kind is not ServiceKind.cron}
    wanted = [line for line in lines if line.tags and line.tags.service_id in ids]
    return frames.restart_rows(wanted, sorted(ids), window, step)


def _unmeasured(
    services: Iterable[Service], samples: pd.DataFrame, http: Mapping[str, WireHttp]
) -> dict[str, str]:
    """Services that should have samples and have none: neither sick nor healthy."""
    resources = samples["measurement"].isin(["CPU_USAGE", "MEMORY_USAGE_GB"])
    measured = set(samples.loc[resources, "service"].unique())
    return {
        s.id: _why_unmeasured(s)
        for s in services
        if s.id not in measured
        and not (s.sleeping or s.kind is ServiceKind.cron)
        and not (s.id in http and http[s.id].statuses)
    }


def _why_unmeasured(service: Service) -> str:
    status = service.deployment.status if service.deployment else "missing"
    return f"no CPU, memory or HTTP samples in the window (its deployment is {status})"


def _summary(service: Service, rows: pd.DataFrame, observation: Observation) -> ServiceSummary:
    wide = rows.pivot_table(index="ts", columns="measurement", values="value")
    present = [c for c in frames.STATUS_CLASSES if c in wide]
    requests = wide[present].sum(axis=1, min_count=1) if present else pd.Series(dtype="float64")
    p50, p95, p99 = (_weighted(wide, name, requests) for name in frames.PERCENTILES)
    return ServiceSummary(
        service_id=service.id,
        window=observation.window,
        cpu=_level(wide, "CPU_USAGE", "CPU_LIMIT", "vCPU", 1),
        memory=_level(wide, "MEMORY_USAGE_GB", "MEMORY_LIMIT_GB", "MB", _MB_PER_GB),
        disk=_level(wide, "DISK_USAGE_GB", "DISK_LIMIT_GB", "MB", _MB_PER_GB),
        requests=round(float(requests.sum())),
        status_codes=dict(observation.status_codes.get(service.id, {})),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        restarts=int(wide[frames.RESTARTS].sum()) if frames.RESTARTS in wide else None,
        unknown=observation.unknown.get(service.id),
    )


def _level(wide: pd.DataFrame, usage: str, limit: str, unit: str, factor: float) -> Level | None:
    if usage not in wide or wide[usage].notna().sum() == 0:
        return None
    top = wide[limit].dropna() if limit in wide else pd.Series(dtype="float64")
    return Level(
        average=float(wide[usage].mean()) * factor,
        maximum=float(wide[usage].max()) * factor,
        limit=float(top.iloc[-1]) * factor if len(top) and top.iloc[-1] > 0 else None,
        unit=unit,
    )


def _weighted(wide: pd.DataFrame, name: str, requests: pd.Series) -> float | None:
    if name not in wide:
        return None
    weights = requests.reindex(wide.index).where(wide[name].notna()).fillna(0.0)
    total = float(weights.sum())
    return float((wide[name] * weights).sum() / total) if total > 0 else None
