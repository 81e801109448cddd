"""Looks after what runs: restarts, memory limits, samples, cron runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sandbox.blueprint import Role
from sandbox.containers import Container
from sandbox.deploys import Starter
from sandbox.limits import cpu_seconds
from sandbox.records import Deployment, Execution, Registry, Sample, utc_now

TICK_SECONDS = 0.25
RESTART_SECONDS = 1.0
GB = 1e9
MB = 1e6


class Meter:
    """Turns counters into samples, one a second, from outside the process."""

    def __init__(self, volume: Callable[[Deployment], Path | None]) -> None:
        self._volume = volume
        self._before: dict[str, tuple[int, float, float]] = {}
        self._traffic: dict[str, tuple[int, int]] = {}

    def measure(self, deployment: Deployment, ts: int) -> None:
        """Add a sample; none when the process was not there for the whole second."""
        container = deployment.container
        used = cpu_seconds(container.pid) if container else None
        resident = container.resident_bytes() if container else None
        if container is None or used is None or resident is None:
            self._before.pop(deployment.id, None)
            return
        pid, then, used_then = self._before.get(deployment.id, (0, 0.0, 0.0))
        now = time.monotonic()
        self._before[deployment.id] = (container.pid, now, used)
        if pid != container.pid:
            return
        spec = deployment.spec
        values = {
            "CPU_USAGE": (used - used_then) / (now - then),
            "CPU_LIMIT": spec.cpu_limit,
            "MEMORY_USAGE_GB": resident / GB,
            "MEMORY_LIMIT_GB": spec.memory_limit_mb * MB / GB,
        }
        if spec.role is Role.web:
            values |= self._network(deployment)
        if volume := self._volume(deployment):
            values["DISK_USAGE_GB"] = folder_bytes(volume) / GB
        deployment.samples.append(Sample(ts, values))

    def _network(self, deployment: Deployment) -> dict[str, float]:
        received, sent = self._traffic.get(deployment.id, (0, 0))
        self._traffic[deployment.id] = (deployment.received, deployment.sent)
        return {
            "NETWORK_RX_GB": (deployment.received - received) / GB,
            "NETWORK_TX_GB": (deployment.sent - sent) / GB,
        }


class Keeper:
    """Keeps the serving deployments running until it is closed."""

    def __init__(self, registry: Registry, starter: Starter) -> None:
        self._registry = registry
        self._starter = starter
        self._meter = Meter(lambda deployment: starter.volume(deployment.spec))
        self._ended = threading.Event()
        self._jobs: dict[str, tuple[Execution, Container]] = {}
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Look after nothing any more; what runs is left running."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        measured = 0
        while not self._ended.wait(TICK_SECONDS):
            second = int(time.time())
            for deployment in self._registry.all():
                if deployment.spec.role is Role.cron:
                    self._keep_schedule(deployment)
                elif deployment.status == "SUCCESS":
                    self._keep_running(deployment)
                if second != measured and deployment.is_running:
                    self._meter.measure(deployment, second)
            measured = second

    def _keep_running(self, deployment: Deployment) -> None:
        container = deployment.container
        if container is None or container.ended_by_us:
            return
        if container.exit_status is not None:
            self._restart(deployment, container)
            return
        limit = deployment.spec.memory_limit_mb
        used = (container.resident_bytes() or 0) / MB
        if used > limit:
            container.kill()
            text = f"Container killed: memory limit exceeded ({used:.0f} MB of {limit:.0f} MB)"
            deployment.note("error", text)

    def _restart(self, deployment: Deployment, ended: Container) -> None:
        now = time.monotonic()
        if deployment.restart_at is None:
            ended.reap()
            deployment.restart_at = now + RESTART_SECONDS
            deployment.note("error", f"Container exited with status {ended.exit_status}")
        elif now >= deployment.restart_at:
            deployment.restart_at = None
            deployment.restarts += 1
            self._starter.start(deployment)
            deployment.note("info", f"Container restarted (restart {deployment.restarts})")

    def _keep_schedule(self, deployment: Deployment) -> None:
        job = self._jobs.get(deployment.id)
        if job and job[1].exit_status is not None:
            execution, container = self._jobs.pop(deployment.id)
            container.reap()
            execution.completed = utc_now()
            execution.exit_status = container.exit_status
        if deployment.status != "SUCCESS":
            return
        now = utc_now()
        due = deployment.next_execution
        deployment.next_execution = due if due and due > now else next_minute(now)
        if due and due <= now and deployment.id not in self._jobs:
            execution = Execution(now)
            deployment.executions.append(execution)
            self._jobs[deployment.id] = (execution, self._starter.start(deployment))


def next_minute(now: datetime) -> datetime:
    """When a schedule of every minute comes next."""
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


def folder_bytes(folder: Path) -> int:
    """The size of all files below a folder."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except OSError:  # gone in the meantime
            continue
    return total
