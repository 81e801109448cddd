"""Made-up services whose truth is known: errors in bursts, latencies that drift, leaks."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from autofix.models import Finding, Severity, Signal, Window
from autofix.observe.frames import build_frame
from autofix.verify.compare import Spans

STEP = timedelta(seconds=30)
LENGTH = timedelta(minutes=30)
LIVE = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
SPANS = Spans(
    before=Window.ending(LIVE - timedelta(hours=2), LENGTH),
    during=Window.ending(LIVE, LENGTH),
    after=Window(start=LIVE + timedelta(minutes=5), end=LIVE + timedelta(minutes=5) + LENGTH),
)


def autocorrelated(rng: np.random.Generator, count: int, rho: float) -> np.ndarray:
    """Standard normal noise whose neighbours are alike."""
    noise = rng.standard_normal(count)
    for i in range(1, count):
        noise[i] = rho * noise[i - 1] + np.sqrt(1 - rho**2) * noise[i]
    return noise


def http(
    rng: np.random.Generator,
    window: Window,
    *,
    rate: float = 20.0,
    errors: float = 0.0,
    p95: float = 200.0,
    rho: float = 0.0,
) -> list[tuple[float, str, str, float]]:
    """Requests of one service: `rate` per step, a share of `errors`, a `p95` in milliseconds."""
    count = int(window.length / STEP)
    times = window.start.timestamp() + STEP.total_seconds() * np.arange(count)
    requests = rng.poisson(rate, count)
    wave = np.exp(0.5 * autocorrelated(rng, count, rho) - 0.125) if rho else np.ones(count)
    failed = rng.binomial(requests, np.clip(errors * wave, 0, 1))
    latency = p95 * np.exp(0.3 * autocorrelated(rng, count, rho))
    rows: list[tuple[float, str, str, float]] = []
    for ts, n, bad, slow in zip(times, requests, failed, latency, strict=True):
        rows += [(ts, "svc", "HTTP_2XX", float(n - bad)), (ts, "svc", "HTTP_5XX", float(bad))]
        if n:
            rows.append((ts, "svc", "HTTP_P95_MS", float(slow)))
    return rows


def memory(
    window: Window, start: float, rise: float, noise: np.ndarray
) -> list[tuple[float, str, str, float]]:
    """Memory in percent of a limit of 1 GB, rising by `rise` percent an hour."""
    count = int(window.length / STEP)
    rows: list[tuple[float, str, str, float]] = []
    for i in range(count):
        ts = window.start.timestamp() + STEP.total_seconds() * i
        percent = start + rise * i * STEP.total_seconds() / 3600 + float(noise[i])
        rows += [(ts, "svc", "MEMORY_USAGE_GB", percent / 100), (ts, "svc", "MEMORY_LIMIT_GB", 1.0)]
    return rows


def frame(*rows: list[tuple[float, str, str, float]]) -> pd.DataFrame:
    return build_frame([row for part in rows for row in part])


def finding(
    signal: Signal, *, value: float = 10.0, severity: Severity = Severity.critical
) -> Finding:
    return Finding(
        ts=LIVE,
        service_id="svc",
        service="billing-api",
        signal=signal,
        severity=severity,
        onset=LIVE - timedelta(hours=1),
        value=value,
        threshold=1.0,
        unit="%",
        reason=f"{signal.value} is {value:g}",
    )
