"""Detection over one window: how it grows with the number of services."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from autofix.detect.findings import find_findings
from autofix.models import Service, ServiceKind, Window
from autofix.observe import frames
from autofix.parameters import Rules

END = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
WINDOW = Window.ending(END, timedelta(minutes=30))
STEP = timedelta(seconds=30)
LEVELS = {
    "CPU_USAGE": 0.3, "CPU_LIMIT": 1.0, "MEMORY_USAGE_GB": 0.4, "MEMORY_LIMIT_GB": 1.0,
    "HTTP_2XX": 300.0, "HTTP_4XX": 2.0, "HTTP_5XX": 0.0, "HTTP_P50_MS": 20.0, "HTTP_P95_MS": 90.0,
    "HTTP_P99_MS": 150.0,
}  # fmt: skip
RUNS = 5


def _samples(count: int, rng: np.random.Generator) -> pd.DataFrame:
    ts = pd.date_range(WINDOW.start, WINDOW.end, freq=STEP, inclusive="left")
    parts = [
        pd.DataFrame(
            {
                "ts": ts,
                "service": f"svc-{number:03}",
                "measurement": name,
                "value": level * rng.uniform(0.8, 1.2, len(ts)),
            }
        )
        for number in range(count)
        for name, level in LEVELS.items()
    ]
    return frames.tidy(pd.concat(parts, ignore_index=True))


def main() -> None:
    """One line a number of services; the ratio is per service, to the smallest."""
    rng = np.random.default_rng(7)
    table = Table("services", "rows", "ms a tick", "ratio per service")
    first = 0.0
    for count in (10, 100, 300):
        samples = _samples(count, rng)
        services = [
            Service(
                id=f"svc-{n:03}", name=f"service-{n}", kind=ServiceKind.web, domains=("x.test",)
            )
            for n in range(count)
        ]
        times = []
        for _ in range(RUNS):
            begin = time.perf_counter()
            find_findings(samples, services, WINDOW, Rules())
            times.append(time.perf_counter() - begin)
        each = sorted(times)[RUNS // 2] / count
        first = first or each
        table.add_row(
            f"{count}", f"{len(samples):,}", f"{1000 * each * count:.0f}", f"{each / first:.2f}"
        )
    console = Console(highlight=False)
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    console.print(f"median of {RUNS} runs; peak memory of the process {peak:.0f} MB")
