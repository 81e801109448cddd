"""A tick of a large environment against a stand-in with a slow line: requests, bytes, cost.

What is seen and what is judged stand on lines of their own.

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

from autofix.detect.findings import judge_observation
from autofix.models import Window
from autofix.observe.baseline import read_baseline
from autofix.observe.observation import Observation, observe
from autofix.observe.railway import RailwayClient
from autofix.parameters import Rules, ServiceSelection, Thresholds
from autofix.settings import Settings
from tests.bench.tick import raise_levels

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


def open_client(url: str) -> RailwayClient:
    settings = Settings(
        _env_file=None,
        railway_token="token",
        railway_project_id="p",
        railway_environment_id="e",
        railway_api_url=url,
    )
    return RailwayClient(settings)


def bench(url: str, *, baseline: bool) -> Observation:
    """Look once, and print the line. AssertionError when it asks or reads more than it may."""
    before, wall, cpu = _peak_mb(), time.perf_counter(), time.process_time()
    with open_client(url) as client:
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
    print(
        f"observe {SERVICES} services, {what}, {DELAY_MS} ms: "
        f"{traffic.requests} requests, {traffic.read_bytes / 1e6:.1f} MB, "
        f"{len(observation.samples):,} samples of {observation.step.total_seconds():g} s, "
        f"wall {wall:.2f} s, CPU {cpu:.2f} s, "
        f"peak {_peak_mb():.0f} MB (+{_peak_mb() - before:.0f} MB)"
    )
    return observation


def judge(observation: Observation, rules: Rules) -> None:
    """Detect in what was seen, and print the line."""
    before, wall, cpu = _peak_mb(), time.perf_counter(), time.process_time()
    findings = judge_observation(observation, rules)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"detect {SERVICES} services: {len(findings)} findings, wall {wall:.2f} s, CPU {cpu:.2f} s, "
        f"peak {_peak_mb():.0f} MB (+{_peak_mb() - before:.0f} MB)"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def main() -> None:
    with stand_in(SERVICES, DELAY_MS) as url:
        for baseline in (False, True):
            observation = bench(url, baseline=baseline)
    judge(observation, Rules(thresholds=Thresholds(**raise_levels())))
    judge(observation, Rules())


if __name__ == "__main__":
    main()
