"""`autofix replay` of a large environment's day: wall, CPU and peak memory of its process.

Fails above a minute or 1.5 GB; the file is Parquet, and CSV beside it for comparison.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

SERVICES, MINUTES = 300, 24 * 60
START = datetime(2026, 3, 2, tzinfo=UTC)
MAX_SECONDS, MAX_MB = 60, 1_500
SICK = 0.1
"""Share of the services that fail, are slow or leak for a part of the day."""


def day() -> pd.DataFrame:
    """Twelve measurements of each service a minute, with a day's wave, noise and some trouble."""
    rng = np.random.default_rng(11)
    t = np.arange(MINUTES)
    shape = (SERVICES, MINUTES)
    wave = 1.2 + np.sin(2 * np.pi * (t / MINUTES + rng.random((SERVICES, 1))))
    requests = rng.poisson(wave * rng.uniform(5, 900, (SERVICES, 1)))
    sick = (rng.random((SERVICES, 1)) < SICK) & (t > rng.integers(300, 1200, (SERVICES, 1)))
    kind = rng.integers(0, 3, (SERVICES, 1))
    failed = rng.binomial(requests, np.where(sick & (kind == 0), 0.2, 0.001))
    slow = np.where(sick & (kind == 1), 40.0, 1.0) * rng.uniform(15, 60, (SERVICES, 1))
    leak = np.where(sick & (kind == 2), np.cumsum(sick, axis=1) / 900, 0.0)
    noise = rng.lognormal(0, 0.05, shape)
    values = {
        "CPU_USAGE": 0.25 * wave * noise,
        "CPU_LIMIT": np.ones(shape),
        "MEMORY_USAGE_GB": np.minimum(0.4 + leak + rng.normal(0, 0.004, shape), 1.0),
        "MEMORY_LIMIT_GB": np.ones(shape),
        "DISK_USAGE_GB": np.full(shape, 3.0),
        "DISK_LIMIT_GB": np.full(shape, 10.0),
        "HTTP_2XX": (requests - failed).astype("float64"),
        "HTTP_4XX": rng.poisson(2, shape).astype("float64"),
        "HTTP_5XX": failed.astype("float64"),
        "HTTP_P50_MS": slow * noise,
        "HTTP_P95_MS": 3 * slow * noise,
        "HTTP_P99_MS": 5 * slow * noise,
    }
    names = np.repeat([f"svc-{i:03}" for i in range(SERVICES)], MINUTES)
    ts = np.tile(pd.date_range(START, periods=MINUTES, freq="1min"), SERVICES)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "ts": ts,
                    "service": pd.Categorical(names),
                    "measurement": pd.Categorical(np.full(len(ts), name), categories=list(values)),
                    "value": value.ravel(),
                }
            )
            for name, value in values.items()
        ],
        ignore_index=True,
    )


def bench(file: Path, rows: int) -> str:
    """One replay in a process of its own; its line. AssertionError when it costs too much."""
    out = file.with_suffix(".json")
    code = "import sys; from autofix.cli import run; sys.exit(run(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        code,
        "replay",
        str(file),
        "--every",
        "10m",
        "--json",
        str(out),
    ]
    begun = time.perf_counter()
    with Path(os.devnull).open("w") as nowhere:
        told = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=told)
        _, status, used = os.wait4(pid, 0)
    wall, peak = time.perf_counter() - begun, used.ru_maxrss / 1000
    assert os.waitstatus_to_exitcode(status) == 0
    cpu = used.ru_utime + used.ru_stime
    assert wall <= MAX_SECONDS, f"wall {wall:.1f} s, CPU {cpu:.1f} s"
    assert peak <= MAX_MB, f"{peak:.0f} MB"
    return (
        f"replay {SERVICES} services, 24 h of 1 min ({rows:,} samples, {file.suffix[1:]}, "
        f"{file.stat().st_size / 1e6:.0f} MB), a tick every 10 min: "
        f"wall {wall:.1f} s, CPU {cpu:.1f} s, peak {peak:.0f} MB"
    )


def main() -> None:
    samples = day()
    with tempfile.TemporaryDirectory() as folder:
        parquet, csv = Path(folder, "day.parquet"), Path(folder, "day.csv")
        samples.to_parquet(parquet)
        samples.to_csv(csv, index=False)
        rows = len(samples)
        del samples
        for file in (parquet, csv):
            print(bench(file, rows), flush=True)


if __name__ == "__main__":
    main()
