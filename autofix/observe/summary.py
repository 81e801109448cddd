"""How each service did over a window, in a handful of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from autofix.models import Level, Service, ServiceSummary
from autofix.observe import frames
from autofix.observe.observation import Observation

_MB_PER_GB = 1_000
_REQUESTS = "REQUESTS"


def summarise(observation: Observation) -> tuple[ServiceSummary, ...]:
    """One summary a watched service.

    Percentiles of a window cannot be had from percentiles of its steps. What stands here is their
    mean weighted by the requests of each step: close to the true one at level traffic, below it
    when a few steps are far slower than the rest.
    """
    wide = observation.samples.set_index(["service", "ts", "measurement"])["value"].unstack()  # noqa: PD010 - rows are unique
    totals = _totals(wide)
    return tuple(_summary(s, totals.get(s.id, {}), observation) for s in observation.selected)


def _totals(wide: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By service: mean, maximum, last and sum of each measurement, and the weighted percentiles.

    Args:
        wide: one row a service and moment, one column a measurement.

    What was not measured is not there.
    """
    if wide.empty:
        return {}
    present = [c for c in frames.STATUS_CLASSES if c in wide]
    requests = wide[present].sum(axis=1, min_count=1) if present else wide.iloc[:, 0] * np.nan
    wide = wide.assign(**{_REQUESTS: requests})
    by_service = wide.groupby(level="service", observed=True)
    parts = {
        "mean": by_service.mean(),
        "max": by_service.max(),
        "last": by_service.last(),
        "sum": by_service.sum(min_count=1),
    }
    percentiles = [c for c in frames.PERCENTILES if c in wide]
    weights = wide[percentiles].notna().mul(requests.fillna(0.0), axis=0)
    weighted = (wide[percentiles].fillna(0.0) * weights).groupby(level="service").sum()
    per_service = weights.groupby(level="service").sum()
    parts["weighted"] = weighted / per_service.where(per_service > 0)
    flat = pd.concat(
        [part.add_prefix(f"{name} ") for name, part in parts.items()], axis="columns"
    ).to_dict("index")
    return {
        str(service): {str(name): value for name, value in row.items() if not math.isnan(value)}
        for service, row in flat.items()
    }


def _summary(
    service: Service, totals: Mapping[str, float], observation: Observation
) -> ServiceSummary:
    restarts = totals.get(f"sum {frames.RESTARTS}")
    p50, p95, p99 = (totals.get(f"weighted {name}") for name in frames.PERCENTILES)
    return ServiceSummary(
        service_id=service.id,
        window=observation.window,
        cpu=_level(totals, "CPU_USAGE", "CPU_LIMIT", "vCPU", 1),
        memory=_level(totals, "MEMORY_USAGE_GB", "MEMORY_LIMIT_GB", "MB", _MB_PER_GB),
        disk=_level(totals, "DISK_USAGE_GB", "DISK_LIMIT_GB", "MB", _MB_PER_GB),
        requests=round(totals.get(f"sum {_REQUESTS}", 0.0)),
        status_codes=dict(observation.status_codes.get(service.id, {})),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        restarts=None if restarts is None else int(restarts),
        unknown=observation.unknown.get(service.id),
    )


def _level(
    totals: Mapping[str, float], usage: str, limit: str, unit: str, factor: float
) -> Level | None:
    if f"mean {usage}" not in totals:
        return None
    top = totals.get(f"last {limit}", 0.0)
    return Level(
        average=totals[f"mean {usage}"] * factor,
        maximum=totals[f"max {usage}"] * factor,
        limit=top * factor if top > 0 else None,
        unit=unit,
    )
