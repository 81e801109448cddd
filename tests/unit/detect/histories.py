"""Hours of samples of one service that end at the tick, and what is found in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from autofix.detect.findings import find_findings
from autofix.models import Finding, Service, ServiceKind, Window
from autofix.parameters import Rules

Array = npt.NDArray[np.float64]
END = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
WINDOW = Window.ending(END, timedelta(minutes=30))


def ago(hours: float, step: int = 60) -> Array:
    """Minutes before the tick, negative, one for each step of so many seconds."""
    return np.arange(-hours * 60, 0, step / 60)


def rows(t: Array, service: str = "s1", **columns: Any) -> pd.DataFrame:
    """Samples at these minutes; NaN and None have no row."""
    parts = [
        pd.DataFrame(
            {
                "ts": pd.to_datetime(END) + pd.to_timedelta(np.round(t * 60), unit="s"),
                "service": service,
                "measurement": name,
                "value": np.broadcast_to(np.asarray(values, dtype="float64"), t.shape),
            }
        )
        for name, values in columns.items()
    ]
    return pd.concat(parts, ignore_index=True).dropna()


def web(t: Array, per_minute: Any = 100.0, **columns: Any) -> pd.DataFrame:
    """A healthy web service, but for the columns that are given."""
    healthy: dict[str, Any] = {
        "CPU_USAGE": 0.3,
        "CPU_LIMIT": 1.0,
        "MEMORY_USAGE_GB": 0.4,
        "MEMORY_LIMIT_GB": 1.0,
        "HTTP_2XX": per_minute,
        "HTTP_P50_MS": 20.0,
        "HTTP_P95_MS": 80.0,
        "HTTP_P99_MS": 120.0,
    }
    return rows(t, **(healthy | columns))


def worker(t: Array, **columns: Any) -> pd.DataFrame:
    """A service without HTTP."""
    quiet: dict[str, Any] = {
        "CPU_USAGE": 0.2,
        "CPU_LIMIT": 1.0,
        "MEMORY_USAGE_GB": 0.4,
        "MEMORY_LIMIT_GB": 1.0,
    }
    return rows(t, **(quiet | columns))


def find(
    samples: pd.DataFrame,
    kind: ServiceKind = ServiceKind.web,
    rules: Rules | None = None,
    *,
    history: bool = True,
    **fields: Any,
) -> tuple[Finding, ...]:
    """What is found at the tick; with `history`, what lies before the window is the baseline."""
    deployments = fields.pop("deployments", ())
    counted = fields.pop("counted", ())
    service = Service(id="s1", name="api", kind=kind, **fields)
    before = samples[samples["ts"] < WINDOW.start]
    return find_findings(
        samples[samples["ts"] >= WINDOW.start],
        [service],
        WINDOW,
        rules or Rules(),
        baseline=before if history else None,
        deployments=deployments,
        counted=counted,
    )


def names(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    """Signals and patterns."""
    return [(f.signal.value, f.pattern.value) for f in findings]


def noise(t: Array, sigma: float, seed: int = 1) -> Array:
    """Repeatable noise around zero."""
    return np.random.default_rng(seed).normal(0, sigma, len(t))
