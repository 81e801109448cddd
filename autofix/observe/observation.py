"""One look at a slice of time: what runs, its samples, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pandas as pd

from autofix.errors import RailwayError
from autofix.models import (
    Architecture,
    Deployment,
    Service,
    ServiceKind,
    Window,
)
from autofix.observe import events, frames
from autofix.observe.http_metrics import HttpReading
from autofix.observe.http_sample import find_serving
from autofix.observe.limits import NETWORK, choose_sampling
from autofix.observe.log_counts import LogCounts
from autofix.observe.railway import RailwayClient
from autofix.observe.wire import WireHttp
from autofix.parameters import ServiceSelection

_SKEW = timedelta(seconds=30)
"""Clocks may differ by this much before anything is said."""


@dataclass(frozen=True)
class Observation:
    """Everything that the detector reads, and nothing after the window's end."""

    window: Window
    step: timedelta
    """Distance of two samples, as it was asked for."""
    architecture: Architecture
    selected: tuple[Service, ...]
    """The watched services."""
    samples: pd.DataFrame
    """As `frames.validate` demands."""
    status_codes: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    """Requests per HTTP status code over the window, by service id."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Why a service could not be read, by service id."""
    baseline: pd.DataFrame | None = None
    """Samples of the day before at a longer step, as `frames.validate` demands; None when they
    were not read."""
    sampled: Mapping[str, str] = field(default_factory=dict)
    """By service id, of which part of its requests its rates are; empty where they are of all."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know about how the window was read, a line each."""

    @property
    def is_enough(self) -> bool:
        """Whether at least half of the watched services were read."""
        return 2 * len(self.unknown) <= len(self.selected)


def observe(
    client: RailwayClient,
    window: Window,
    step: timedelta | None,
    selection: ServiceSelection,
    baseline: pd.DataFrame | None = None,
    architecture: Architecture | None = None,
) -> Observation:
    """The observation of the selected services.

    Args:
        client: reads Railway.
        window: what is looked at.
        step: distance of two samples; the smallest that fits into one answer when None.
        selection: which services are watched.
        baseline: handed on to the detector.
        architecture: what runs, when it was read already.

    Raises:
        RailwayError: the API cannot be read, or fewer than half of the services could be.
    """
    architecture = architecture or client.fetch_architecture()
    selected = select(architecture, selection)
    observation = read_services(client, architecture, selected, window, step)
    if not observation.is_enough:
        raise RailwayError(describe_too_few(observation), retryable=True)
    return replace(observation, baseline=baseline)


def redact_observation(observation: Observation, door: Callable[[str], str]) -> Observation:
    """The observation as it may be kept; its architecture has passed the door already."""
    return replace(
        observation,
        unknown={service_id: door(why) for service_id, why in observation.unknown.items()},
        notes=tuple(door(note) for note in observation.notes),
    )


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
    step: timedelta | None,
) -> Observation:
    """The observation of these services, however many of them could be read.

    Raises:
        RailwayError: by Railway's clock the window has not begun.
    """
    end = _measured_until(client, window)
    volumes = [v for v in architecture.volumes if v.service_id]
    sampling = choose_sampling(
        len(architecture.services), len(volumes), window, step, client.limits
    )
    step = sampling.step
    if not services:
        empty = frames.validate(frames.build_frame([]))
        return Observation(window, step, architecture, (), empty)
    ids = {s.id for s in services}
    resources = client.submit(client.fetch_resources, window, sampling, ids)
    counts = client.submit(client.fetch_log_counts, window)
    runs = client.fetch_cron_runs(s.id for s in services if s.cron_schedule)
    http = _read_http(client, architecture, services, window, step)
    try:
        series = resources.result().series
    except RailwayError as error:
        counts.result()
        unread = {s.id: str(error) for s in services}
        empty = frames.build_frame([])
        return Observation(window, step, architecture, tuple(services), empty, unknown=unread)
    rows = frames.resource_rows(series)
    rows += frames.disk_rows(
        [v for v in volumes if v.service_id in ids],
        rows,
        window.end.timestamp() - step.total_seconds(),
    )
    for service_id, reading in http.services.items():
        rows += frames.http_rows(service_id, reading)
    rows += _count_rows(counts.result(), services, window, step)
    run_rows, uncounted = events.run_rows(runs.found, window, step)
    samples = frames.clip(frames.build_frame(rows + run_rows), Window(start=window.start, end=end))
    notes = [
        *_skew_notes(window, end),
        *_sampling_notes(sampling.measurements),
        *_log_notes(counts.result()),
        *_run_notes({**uncounted, **runs.failed}, services),
    ]
    return Observation(
        window=window,
        step=step,
        architecture=architecture,
        selected=tuple(services),
        samples=frames.validate(samples),
        status_codes={k: frames.status_codes(v, window) for k, v in http.services.items()},
        unknown=_unmeasured(services, samples, http.services, runs.failed) | dict(http.failed),
        sampled=http.sampled,
        notes=tuple(notes),
    )


def _measured_until(client: RailwayClient, window: Window) -> datetime:
    """The end of what can have been measured: the window's, or the present of Railway's clock."""
    present = client.server_time
    if present is None or present >= window.end - _SKEW:
        return window.end
    if present <= window.start:
        raise RailwayError(
            f"by its clock it is {present:%Y-%m-%d %H:%M:%S} UTC, before the window begins: "
            "set this machine's clock right, or --now"
        )
    return present


def _read_http(
    client: RailwayClient,
    architecture: Architecture,
    services: Sequence[Service],
    window: Window,
    step: timedelta,
) -> HttpReading:
    """HTTP of the services with a domain; databases and crons serve none."""
    asked = [s for s in services if s.domains]
    of_service: dict[str, list[Deployment]] = {s.id: [] for s in asked}
    for deployment in (*architecture.deployments, *(s.deployment for s in asked)):
        if deployment and deployment.service_id in of_service:
            of_service[deployment.service_id].append(deployment)
    serving = {s: find_serving(found, window) for s, found in of_service.items()}
    return client.fetch_http(of_service, window, step, serving)


def _count_rows(
    counts: LogCounts, services: Sequence[Service], window: Window, step: timedelta
) -> list[frames.Row]:
    """Restarts of long-running services and error lines; no rows where a log was not read."""
    rows: list[frames.Row] = []
    ids = {s.id for s in services}
    lasting = {s.id for s in services if s.kind is not ServiceKind.cron}
    if counts.platform is not None:
        wanted = [line for line in counts.platform if line.tags and line.tags.service_id in lasting]
        since = counts.platform_since
        rows += events.restart_rows(wanted, sorted(lasting), window, step, since)
    if counts.errors is not None:
        rows += events.error_rows(counts.errors, sorted(ids), window, step, counts.errors_since)
    return rows


def _skew_notes(window: Window, end: datetime) -> list[str]:
    if end >= window.end:
        return []
    ahead = (window.end - end).total_seconds()
    note = f"the window ends {ahead:.0f} s ahead of Railway's clock: that part is not measured"
    return [f"{note}; set this machine's clock right"]


def _sampling_notes(measurements: Sequence[str]) -> list[str]:
    if set(NETWORK) <= set(measurements):
        return []
    return ["network traffic was not read: with it the metrics do not fit into one answer"]


def _log_notes(counts: LogCounts) -> list[str]:
    notes = [f"a log of the environment could not be read: {reason}" for reason in counts.failed]
    for since, what in ((counts.errors_since, "error lines"), (counts.platform_since, "restarts")):
        if since is not None:
            notes.append(f"{what} are counted since {since:%H:%M:%S} UTC only: the log is longer")
    return notes


def _run_notes(reasons: Mapping[str, str], services: Iterable[Service]) -> list[str]:
    names = {s.id: s.name for s in services}
    return [f"runs of {names[s]} are not counted: {why}" for s, why in sorted(reasons.items())]


def _unmeasured(
    services: Iterable[Service],
    samples: pd.DataFrame,
    http: Mapping[str, WireHttp],
    runs_failed: Mapping[str, str],
) -> dict[str, str]:
    """Services that should have samples and have none: neither sick nor healthy.

    A service that sleeps and a cron between its runs have none; of a cron the runs are enough.
    """
    resources = samples["measurement"].isin(["CPU_USAGE", "MEMORY_USAGE_GB"])
    measured = set(samples.loc[resources, "service"].unique())
    return {
        s.id: runs_failed.get(s.id) or _why_unmeasured(s)
        for s in services
        if s.id not in measured
        and not (s.sleeping or (s.kind is ServiceKind.cron and s.id not in runs_failed))
        and not (s.id in http and http[s.id].statuses)
    }


def _why_unmeasured(service: Service) -> str:
    status = service.deployment.status if service.deployment else "missing"
    return f"no CPU, memory or HTTP samples in the window (its deployment is {status})"
