"""The whole world under its load, judged from the platform's API alone."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from sandbox.reproduce import reproduce_latency
from sandbox.world import copy_service

ROOT = Path(__file__).resolve().parents[2]
WARM_UP_SECONDS = 100
WINDOW_SECONDS = 90

pytestmark = [pytest.mark.e2e, pytest.mark.world, pytest.mark.timeout(200)]

RESOURCES = """
query ($environment: String!, $start: DateTime!, $end: DateTime!) {
  metrics(
    environmentId: $environment, startDate: $start, endDate: $end, sampleRateSeconds: 1
    groupBy: [SERVICE_ID]
    measurements: [CPU_USAGE, CPU_LIMIT, MEMORY_USAGE_GB, MEMORY_LIMIT_GB, DISK_USAGE_GB]
  ) { measurement tags { serviceId } values { ts value } }
}
"""
HTTP = """
query ($environment: String!, $service: String!, $start: DateTime!, $end: DateTime!, $step: Int) {
  statuses: httpMetricsGroupedByStatus(
    environmentId: $environment, serviceId: $service, startDate: $start, endDate: $end
  ) { statusCode samples { value } }
  durations: httpDurationMetrics(
    environmentId: $environment, serviceId: $service, startDate: $start, endDate: $end
    stepSeconds: $step
  ) { samples { ts p50 p95 } }
}
"""
LOGS = """
query ($environment: String!, $filter: String) {
  environmentLogs(environmentId: $environment, filter: $filter, beforeLimit: 5000) {
    message severity tags { serviceId }
  }
}
"""
EXECUTIONS = """
query ($environment: String!, $service: String!) {
  deploymentInstanceExecutions(input: {environmentId: $environment, serviceId: $service}) {
    edges { node { status createdAt completedAt } }
  }
}
"""


class Platform:
    """The API, asked as the product asks it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.settings = ready["settings"]
        self.services = {name: fields["id"] for name, fields in ready["services"].items()}
        self.end = datetime.now(UTC)
        self.start = self.end - timedelta(seconds=WINDOW_SECONDS)
        self._levels: dict[tuple[str, str], list[float]] = {}

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = httpx.post(
            self.settings["RAILWAY_API_URL"],
            headers={"Project-Access-Token": self.settings["RAILWAY_TOKEN"]},
            json={
                "query": query,
                "variables": {
                    "environment": self.settings["RAILWAY_ENVIRONMENT_ID"],
                    "start": self.start.isoformat(),
                    "end": self.end.isoformat(),
                }
                | variables,
            },
            timeout=30,
        ).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    def levels(self, name: str, measurement: str) -> list[float]:
        """A measurement of every second."""
        if not self._levels:
            for row in self.ask(RESOURCES)["metrics"]:
                key = (row["tags"]["serviceId"], row["measurement"])
                self._levels[key] = [value["value"] for value in row["values"]]
        return self._levels[self.services[name], measurement]

    def cpu_share(self, name: str) -> float:
        used = statistics.fmean(self.levels(name, "CPU_USAGE"))
        return used / self.levels(name, "CPU_LIMIT")[0]

    def http(self, name: str, step: int | None = None) -> dict[str, Any]:
        return self.ask(HTTP, service=self.services[name], step=step)

    def statuses(self, name: str) -> dict[int, int]:
        rows = self.http(name)["statuses"]
        return {row["statusCode"]: int(row["samples"][0]["value"]) for row in rows}

    def p95(self, name: str) -> float:
        return float(self.http(name)["durations"]["samples"][0]["p95"])

    def error_share(self, name: str) -> float:
        statuses = self.statuses(name)
        return sum(n for status, n in statuses.items() if status >= 500) / sum(statuses.values())

    def messages(self, name: str, filter_text: str) -> list[str]:
        found = self.ask(LOGS, filter=f"@service:{self.services[name]} {filter_text}")
        return [line["message"] for line in found["environmentLogs"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, int, float]]:
    """The sandbox after it ran for a while: its API, its process, seconds until it served."""
    root = tmp_path_factory.mktemp("sandbox")
    ready = root / "ready.json"
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--root", str(root / "root"), "--ready", str(ready)],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        try:
            while not ready.exists():
                assert process.poll() is None
                assert time.monotonic() - began < 60
                time.sleep(0.05)
            took = time.monotonic() - began
            time.sleep(WARM_UP_SECONDS)
            yield Platform(json.loads(ready.read_text())), process.pid, took
        finally:
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        _, alive = psutil.wait_procs(children, timeout=1)
        assert alive == [], "processes are left"
        assert not ready.exists()
        assert list((root / "root").iterdir()) == []


def test_the_world_under_load(world: tuple[Platform, int, float], tmp_path: Path) -> None:
    """Three services are sick as their faults make them, the controls stay quiet, all is cheap."""
    platform, pid, took = world
    assert took < 12
    _assert_catalog_leaks(platform)
    _assert_orders_wait_for_their_database(platform, tmp_path)
    _assert_billing_fails_for_some(platform)
    _assert_controls_are_quiet(platform)
    _assert_cheap(platform, pid)


def _assert_catalog_leaks(platform: Platform) -> None:
    memory = platform.levels("catalog-api", "MEMORY_USAGE_GB")
    limit = platform.levels("catalog-api", "MEMORY_LIMIT_GB")[0]
    assert max(memory) > 0.9 * limit
    assert min(memory) < 0.5 * limit, "a new life began in the window"
    assert platform.messages("catalog-api", '"memory limit exceeded"')
    assert platform.messages("catalog-api", '"Container restarted"')
    kept = [
        int(line.partition("=")[2].split()[0])
        for line in platform.messages("catalog-api", "retained")
    ]
    assert max(kept) > 250
    assert platform.error_share("catalog-api") > 0.2
    worst = platform.http("catalog-api", step=5)["durations"]["samples"]
    assert max(sample["p50"] for sample in worst) > 3000, "nine of ten time out before the end"


def _assert_orders_wait_for_their_database(platform: Platform, tmp_path: Path) -> None:
    slow = platform.p95("orders-web")
    copy_service("orders-web", tmp_path / "orders-web", healthy=True)
    fixed = reproduce_latency(tmp_path / "orders-web")
    assert not fixed.shows, fixed.line
    assert fixed.p95_ms is not None
    assert slow >= 30 * fixed.p95_ms, (slow, fixed.line)
    assert 503 in platform.statuses("orders-web")
    assert platform.messages("orders-web", "@level:error timeout")
    counts = platform.messages("orders-web", '"page=orders" queries -database')
    assert max(int(line.partition("queries=")[2].split()[0]) for line in counts) >= 15
    assert platform.cpu_share("orders-web") < 0.1
    memory = platform.levels("orders-web", "MEMORY_USAGE_GB")
    assert max(memory) < 0.4 * platform.levels("orders-web", "MEMORY_LIMIT_GB")[0]
    assert platform.cpu_share("orders-db") > 0.9
    assert platform.levels("orders-db", "DISK_USAGE_GB")[-1] > 0


def _assert_billing_fails_for_some(platform: Platform) -> None:
    assert 0.04 <= platform.error_share("billing-api") <= 0.07
    assert any("KeyError" in line for line in platform.messages("billing-api", "@level:error"))
    assert platform.p95("billing-api") < 500


def _assert_controls_are_quiet(platform: Platform) -> None:
    for name in ("image-resizer", "search-api"):
        assert set(platform.statuses(name)) == {200}, name
        assert platform.p95(name) < 300, name
        assert platform.messages(name, "@level:error") == []
    spikes = platform.levels("image-resizer", "CPU_USAGE")
    limit = platform.levels("image-resizer", "CPU_LIMIT")[0]
    assert max(spikes) > 0.85 * limit
    assert platform.cpu_share("image-resizer") < 0.45
    assert 0.8 <= platform.cpu_share("search-api") <= 0.95
    assert platform.messages("mailer", "sent")
    runs = platform.ask(EXECUTIONS, service=platform.services["nightly-report"])
    edges = runs["deploymentInstanceExecutions"]["edges"]
    assert edges
    assert all(edge["node"]["status"] == "EXITED" for edge in edges)


def _assert_cheap(platform: Platform, pid: int) -> None:
    """Everything together stays below one core, measured over a few seconds."""
    parent = psutil.Process(pid)
    everything = [parent, *parent.children(recursive=True)]
    before = {p.pid: sum(p.cpu_times()[:2]) for p in everything}
    time.sleep(5)
    used = 0.0
    for process in everything:
        try:
            used += sum(process.cpu_times()[:2]) - before[process.pid]
        except psutil.NoSuchProcess:  # a restart, or a cron run
            continue
    assert used / 5 < 1.0
