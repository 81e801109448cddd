"""One fixed service seen before the trouble, before the deployment and after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from autofix.change.memo import IncidentMemo
from autofix.models import Architecture, Finding, Service, ServiceSummary, Window
from autofix.observe.observation import Observation, read_services
from autofix.observe.railway import RailwayClient
from autofix.observe.summary import summarise
from autofix.verify.carrier import Carrier
from autofix.verify.compare import Spans, compare
from autofix.verify.outcome import Sight

Detect = Callable[[Observation], tuple[Finding, ...]]
"""The detector, with the thresholds of the deployment."""


@dataclass(frozen=True)
class Look:
    """What was seen of one service, and the samples it rests on."""

    sight: Sight
    samples: pd.DataFrame
    spans: Spans


def spans_of(carrier: Carrier, onset: datetime, warm_up: timedelta, length: timedelta) -> Spans:
    """Equal windows: before the onset, the last one before the deployment, and after its warm-up."""
    start = carrier.live_at + warm_up
    return Spans(
        before=Window.ending(onset, length),
        during=Window.ending(carrier.deployment.created_at, length),
        after=Window(start=start, end=start + length),
    )


def look_again(
    client: RailwayClient,
    architecture: Architecture,
    memo: IncidentMemo,
    spans: Spans,
    *,
    step: timedelta | None,
    min_requests: int,
    detect: Detect,
) -> Look:
    """Read the three windows and hold them against each other.

    Args:
        client: reads Railway.
        architecture: what runs.
        memo: the incident.
        spans: see `spans_of`.
        step: distance of two samples; as fine as the API bears when None.
        min_requests: fewer on one side make an HTTP signal unmeasured.
        detect: says what is in trouble in an observation.

    Raises:
        RailwayError: the API cannot be read.
        KeyError: the service is gone.
    """
    service = architecture.service(memo.service_id)
    before, during, after = (
        _read(client, architecture, service, window, step)
        for window in (spans.before, spans.during, spans.after)
    )
    samples = pd.concat([before.samples, during.samples, after.samples], ignore_index=True)
    sight = Sight(
        service=service.name,
        comparisons=compare(samples, memo.findings(), spans, min_requests),
        found_during=detect(during),
        found_after=detect(after),
        requests_during=_requests(during, service),
        requests_after=_requests(after, service),
        unknown=during.unknown.get(service.id) or after.unknown.get(service.id),
    )
    return Look(sight, samples, spans)


def _read(
    client: RailwayClient,
    architecture: Architecture,
    service: Service,
    window: Window,
    step: timedelta | None,
) -> Observation:
    return read_services(client, architecture, [service], window, step)


def _requests(observation: Observation, service: Service) -> int | None:
    if not service.domains:
        return None
    summary: ServiceSummary = summarise(observation)[0]
    return summary.requests
