"""What is normal for each service: its last day at a long step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta

import pandas as pd

from autofix.models import Architecture, Service, Window
from autofix.observe import events, frames
from autofix.observe.limits import BASELINE_STEPS, LIMITS, USAGE, Sampling, choose_sampling
from autofix.observe.railway import RailwayClient

LENGTH = timedelta(hours=24)


def baseline_window(window: Window) -> Window:
    """The day that ends with the last full hour of the window's end.

    It is the same for every look within an hour, so that a baseline that was kept and one that is
    read anew are equal. It may reach into the window itself; who compares the two cuts it there.
    """
    end = window.end.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return Window.ending(end, LENGTH)


def read_baseline(
    client: RailwayClient,
    architecture: Architecture,
    services: Sequence[Service],
    window: Window,
) -> pd.DataFrame:
    """Samples of the services over `baseline_window(window)`, as `frames.validate` demands.

    Costs one request and one for every ten services with a domain. What could not be read has no
    rows: error lines reach back as far as one page of the log does, and a schema without HTTP
    metrics gives none.

    Raises:
        RailwayError: the metrics cannot be read.
    """
    day = baseline_window(window)
    sampling = _choose(len(architecture.services), day, client)
    ids = {s.id for s in services}
    resources = client.submit(client.fetch_resources, day, sampling, ids, errors=True)
    http = client.fetch_http([s.id for s in services if s.domains], day, sampling.step)
    read = resources.result()
    rows = frames.resource_rows(read.series)
    for service_id, reading in http.services.items():
        rows += frames.http_rows(service_id, reading)
    if read.errors is not None:
        rows += events.error_rows(read.errors, sorted(ids), day, sampling.step, read.errors_since)
    return frames.validate(frames.clip(frames.build_frame(rows), day))


def _choose(services: int, day: Window, client: RailwayClient) -> Sampling:
    """Usage with its limits, usage alone where those do not fit; never network or disk."""
    limits = client.limits
    sampling = choose_sampling(services, 0, day, None, limits, BASELINE_STEPS)
    if sampling.windows > 1:
        return Sampling(sampling.step, USAGE)
    return Sampling(sampling.step, (*USAGE, *LIMITS))
