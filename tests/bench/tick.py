"""A tick and a fan-out through Prefect: wall and CPU of the flow's process, with the parts apart.

``python -m tests.bench.tick`` starts a Prefect server and the stand-in, warms up with one tick, and
measures the next ones from the flow's first state to its last.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

SERVICES, DELAY_MS, AFFECTED = 300, 50, 30
TICK_WALL, TICK_CPU, FAN_OUT_WALL = 4.0, 3.0, 15.0
"""Seconds, the stand-in's own latency left out."""
RUNS = 3


@contextmanager
def server(
    root: Path, more: Mapping[str, str] | None = None
) -> Iterator[tuple[str, psutil.Process]]:
    """A Prefect server on SQLite; its address and its process."""
    from sandbox.demo.processes import Processes, free_port

    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "PREFECT_HOME": str(root / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        **(more or {}),
    }
    with Processes(root / "logs") as processes:
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
        processes.start("server", command, environment, root)
        url = f"http://127.0.0.1:{port}/api"
        processes.wait_until("server", lambda: _is_up(url), 120)
        yield url, psutil.Process(processes.pid("server"))


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def main() -> None:
    """Both measurements; SystemExit when a bound is broken."""
    from tests.bench.observe import stand_in

    with (
        tempfile.TemporaryDirectory(prefix="autofix-bench-") as folder,
        server(Path(folder)) as (api, process),
        stand_in(SERVICES, DELAY_MS) as railway,
    ):
        environment = {
            **os.environ,
            "HOME": folder,
            "PREFECT_HOME": f"{folder}/client",
            "PREFECT_API_URL": api,
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "RAILWAY_TOKEN": "token",
            "RAILWAY_PROJECT_ID": "p",
            "RAILWAY_ENVIRONMENT_ID": "e",
            "RAILWAY_API_URL": railway,
            "GITHUB_TOKEN": "token",
            "GITHUB_API_URL": railway.removesuffix("/graphql/v2"),
            "SERVER_PID": str(process.pid),
        }
        command = [sys.executable, "-m", "tests.bench.tick", "inside"]
        raise SystemExit(subprocess.run(command, env=environment, check=False).returncode)


def inside() -> int:
    """What is measured, in a process of its own."""
    from flows.monitor_project_health import monitor_project_health
    from flows.pull_service_context import pull_service_context

    now = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    thresholds = raise_levels()
    monitor_project_health(thresholds=thresholds, now=now)  # imports, first connections
    ticks = [
        _measure(monitor_project_health, thresholds=thresholds, now=now + timedelta(minutes=10 * i))
        for i in range(1, RUNS + 1)
    ]
    best = min(ticks, key=lambda m: m["wall"])
    print(_line(f"healthy tick, {SERVICES} services", best))
    incidents = [build_incident(i, now) for i in range(AFFECTED)]
    fan_out = _measure(
        pull_service_context, incidents=incidents, step_seconds=60.0, autonomy="report"
    )
    print(_line(f"fan-out to {AFFECTED} services", fan_out))
    broken = [
        name
        for name, value, most in (
            ("tick, wall", best["wall"] - best["latency"], TICK_WALL),
            ("tick, CPU", best["cpu"], TICK_CPU),
            ("fan-out, wall", fan_out["wall"] - fan_out["latency"], FAN_OUT_WALL),
        )
        if value > most
    ]
    for name in broken:
        print(f"over its bound: {name}", file=sys.stderr)
    return 1 if broken else 0


_LEVELS = ("cpu_percent", "memory_percent", "disk_percent", "http_5xx_percent")
_LEVELS += ("http_4xx_percent", "latency_p95_ms", "restarts", "log_errors_per_hour")


def _measure(flow: Any, **parameters: Any) -> dict[str, float]:
    """Seconds: wall, CPU of this process, CPU of the server, and what was spent waiting on Railway."""
    from autofix.observe import graphql

    waiting: list[float] = []
    post = graphql.GraphqlClient._post

    def timed(self: Any, *args: Any) -> Any:
        began = time.perf_counter()
        try:
            return post(self, *args)
        finally:
            waiting.append(time.perf_counter() - began)

    graphql.GraphqlClient._post = timed  # type: ignore[method-assign]
    process = psutil.Process(int(os.environ["SERVER_PID"]))
    before = _cpu(process)
    cpu = time.process_time()
    state = flow(**parameters, return_state=True)
    spent = {"wall": _between_states(state), "cpu": time.process_time() - cpu}
    graphql.GraphqlClient._post = post  # type: ignore[method-assign]
    return {
        **spent,
        "server": _cpu(process) - before,
        "railway": sum(waiting),
        "requests": len(waiting),
        "latency": len(waiting) * DELAY_MS / 1000 / 8,
    }


def _between_states(last: Any) -> float:
    """Seconds from a run's first state to its last.

    Afterwards Prefect waits up to a second for the thread that says that the run is alive.
    """
    from prefect.client.orchestration import get_client

    run = last.state_details.flow_run_id
    assert run
    with get_client(sync_client=True) as client:
        first = min(client.read_flow_run_states(run), key=lambda state: state.timestamp)
    return (last.timestamp - first.timestamp).total_seconds()


def _cpu(process: psutil.Process) -> float:
    return sum(
        t.user + t.system
        for p in (process, *process.children(recursive=True))
        for t in [p.cpu_times()]
    )


def _line(what: str, m: dict[str, float]) -> str:
    return (
        f"{what:<32} wall {m['wall']:5.2f} s  CPU {m['cpu']:5.2f} s  Prefect server CPU "
        f"{m['server']:5.2f} s  in Railway's requests {m['railway']:5.2f} s (summed over threads, "
        f"{m['requests']:.0f} requests)"
    )


def raise_levels() -> dict[str, Any]:
    """Thresholds that nothing exceeds."""
    return {name: {"warning": 1e9, "critical": 1e9} for name in _LEVELS}


def build_incident(i: int, now: datetime, service: int | None = None) -> dict[str, Any]:
    """Some incident of the stand-in's service of this number."""
    from autofix.models import Window

    n = i if service is None else service
    service_id = f"{n:08x}-5e57-4c0d-8000-{n:012x}"
    finding = {
        "ts": now, "service_id": service_id, "service": f"service-{n:08x}", "signal": "http_5xx",
        "severity": "critical", "onset": now - timedelta(minutes=20), "value": 9.0,
        "threshold": 5.0, "unit": "%", "reason": "5xx 9 %",
    }  # fmt: skip
    return {
        "fingerprint": f"{i:010x}",
        "environment_id": "e",
        "service": {
            "id": service_id, "name": f"service-{n:08x}", "kind": "web",
            "domains": [f"{service_id}.test"],
        },
        "findings": [finding],
        "onset": now - timedelta(minutes=20),
        "deployed_commit": None,
        "window": Window.ending(now, timedelta(minutes=30)),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(inside() if sys.argv[1:] == ["inside"] else main())
