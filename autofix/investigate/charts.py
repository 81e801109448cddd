"""The signals in trouble over the window, as values for a small picture."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from autofix.models import Chart, Finding, Incident, Severity, Signal, Window
from autofix.observe.frames import STATUS_CLASSES
from autofix.observe.observation import Observation

PARTS = 24
"""At most; a part is never shorter than a step."""
MOST = 3
_SHARES = {
    Signal.cpu: ("CPU", "CPU_USAGE", "CPU_LIMIT"),
    Signal.memory: ("memory", "MEMORY_USAGE_GB", "MEMORY_LIMIT_GB"),
    Signal.disk: ("volume", "DISK_USAGE_GB", "DISK_LIMIT_GB"),
}
_COUNTS = {
    Signal.latency: ("p95", "HTTP_P95_MS", "ms"),
    Signal.crash_loop: ("restarts", "RESTARTS", "a step"),
    Signal.log_errors: ("error lines", "LOG_ERRORS", "a step"),
    Signal.cron_failed: ("failed runs", "CRON_FAILED", "a step"),
}
_CLASSES = {Signal.http_5xx: ("5xx", "HTTP_5XX"), Signal.http_4xx: ("4xx", "HTTP_4XX")}


def build_charts(observation: Observation, incident: Incident) -> tuple[Chart, ...]:
    """At most `MOST`, the critical signals first; a signal without samples has none."""
    own = observation.samples[observation.samples["service"] == incident.service.id]
    ordered = sorted(incident.findings, key=lambda f: f.severity is not Severity.critical)
    parts = max(1, min(PARTS, math.floor(observation.window.length / observation.step)))
    charts = (_chart(own, finding, observation.window, parts) for finding in ordered)
    return tuple(chart for chart in charts if chart is not None)[:MOST]


def _chart(own: pd.DataFrame, finding: Finding, window: Window, parts: int) -> Chart | None:
    found = _series(own, finding.signal)
    if found is None or found[2].empty:
        return None
    label, unit, values = found
    return Chart(
        signal=finding.signal,
        label=label,
        unit=unit,
        start=window.start,
        end=window.end,
        values=_parts(values, window, parts),
        threshold=finding.threshold if unit == finding.unit else None,
        onset=finding.onset,
    )


def _series(own: pd.DataFrame, signal: Signal) -> tuple[str, str, pd.Series] | None:
    """Label, unit, and values by time."""
    wide = own.pivot_table(index="ts", columns="measurement", values="value", aggfunc="max")
    if signal in _SHARES:
        label, use, limit = _SHARES[signal]
        if use not in wide or limit not in wide:
            return None
        limits = wide[limit].where(wide[limit] > 0).ffill().bfill()
        return label, "%", (100 * wide[use] / limits).dropna()
    if signal in _CLASSES:
        label, name = _CLASSES[signal]
        requests = _requests(wide)
        errors = wide[name] if name in wide else pd.Series(0.0, index=wide.index)
        return label, "%", (100 * errors.fillna(0.0) / requests.where(requests > 0)).dropna()
    if signal is Signal.silence:
        return "requests", "a step", _requests(wide).dropna()
    if signal in _COUNTS:
        label, name, unit = _COUNTS[signal]
        return (label, unit, wide[name].dropna()) if name in wide else None
    return None


def _requests(wide: pd.DataFrame) -> pd.Series:
    present = [name for name in STATUS_CLASSES if name in wide]
    if not present:
        return pd.Series(dtype="float64", index=pd.DatetimeIndex([], tz="UTC"))
    return wide[present].sum(axis=1, min_count=1)


def _parts(values: pd.Series, window: Window, parts: int) -> tuple[float | None, ...]:
    """The highest value of each part of the window."""
    at = pd.DatetimeIndex(values.index)
    elapsed = (at - pd.Timestamp(window.start)).total_seconds()
    part = np.clip(np.floor(elapsed / window.length.total_seconds() * parts), 0, parts - 1)
    highest = values.groupby(part).max()
    return tuple(_rounded(float(highest[i])) if i in highest.index else None for i in range(parts))


def _rounded(value: float) -> float:
    """Three digits are enough for a picture."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))
