"""A tick of a large environment against a stand-in with a slow line: requests, bytes, cost.

``python -m tests.bench.observe`` prints the lines and fails when a bound is broken.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from autofix.models import Window
from autofix.observe.baseline import read_baseline
from autofix.observe.limits import ApiLimits
from autofix.observe.observation import observe
from autofix.observe.railway import RailwayClient
from autofix.parameters import ServiceSelection
from autofix.settings import Settings

SERVICES, DELAY_MS = 300, 50
MAX_REQUESTS, MAX_BYTES = 35, 8_000_000
WINDOW = Window.ending(datetime(2026, 3, 2, 14, 30, tzinfo=UTC), timedelta(minutes=30))


@contextmanager
def stand_in(services: int, delay_ms: float) -> Iterator[str]:
    """The address of a stand-in that ends with the block."""
    command = [sys.executable, "-m", "tests.bench.standin", str(services), str(delay_ms)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def open_client(url: str, per_second: float) -> RailwayClient:
    settings = Settings(
        _env_file=None,
        railway_token="token",
        railway_project_id="p",
        railway_environment_id="e",
        railway_api_url=url,
    )
    return RailwayClient(settings, limits=ApiLimits(requests_per_second=per_second))


def bench(url: str, per_second: float, *, baseline: bool) -> str:
    """One tick; its line. AssertionError when it asks or reads more than it may."""
    before, wall, cpu = _peak_mb(), time.perf_counter(), time.process_time()
    with open_client(url, per_second) as client:
        architecture = client.fetch_architecture()
        day = None
        if baseline:
            day = read_baseline(client, architecture, architecture.services, WINDOW)
        observation = observe(client, WINDOW, None, ServiceSelection(), day, architecture)
        traffic = client.traffic
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert not observation.unknown, observation.unknown
    allowed = MAX_REQUESTS + (1 + -(-SERVICES // 10) if baseline else 0)
    assert traffic.requests <= allowed, traffic
    assert baseline or traffic.read_bytes <= MAX_BYTES, traffic
    what = "with its baseline" if baseline else "baseline cached"
    return (
        f"observe {SERVICES} services, {what}, {per_second:g} requests/s, {DELAY_MS} ms: "
        f"{traffic.requests} requests, {traffic.read_bytes / 1e6:.1f} MB, "
        f"{len(observation.samples):,} samples of {observation.step.total_seconds():g} s, "
        f"wall {wall:.2f} s, CPU {cpu:.2f} s, "
        f"peak {_peak_mb():.0f} MB (+{_peak_mb() - before:.0f} MB)"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    with stand_in(SERVICES, DELAY_MS) as url:
        for per_second, baseline in ((10, False), (50, False), (50, True)):
            print(bench(url, per_second, baseline=baseline))


if __name__ == "__main__":
    main()
