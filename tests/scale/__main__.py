"""``python -m tests.scale``, as ``make scale-check``: one fix survives the death of its worker."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from sandbox.demo.processes import DemoError, Processes
from sandbox.demo.stack import Stack
from sandbox.demo.world import World
from tests.scale.postgres import open_cluster

SERVICE = "billing-api"
WINDOW = {"minutes": 1, "step_seconds": 5}
WARM_SECONDS = 65
FIX_SECONDS = 600
WORKERS = ("prefect-worker", "prefect-worker-2")


def main() -> int:
    """0 when the fix whose worker was killed ended in exactly one pull request."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="autofix-scale-") as folder,
            open_cluster(Path(folder)) as database,
            Processes(Path(folder) / "logs") as processes,
        ):
            return _check(Path(folder), processes, database)
    except DemoError as error:
        print(f"scale-check: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; everything that was started has been ended", file=sys.stderr)
        return 130


def _check(root: Path, processes: Processes, database: str) -> int:
    stack = Stack(
        root,
        processes,
        healthy=("catalog-api", "orders-web"),
        server={"PREFECT_SERVER_DATABASE_CONNECTION_URL": database},
    )
    stack.start_base()
    model = stack.model()
    stack.start_agent(model)
    stack.deploy()
    stack.pause_schedules()
    shared = {"PREFECT_LOCAL_STORAGE_PATH": str(root / "results")}
    for name in WORKERS:
        stack.start_worker(model, shared, name=name)
    print("PostgreSQL, a Prefect server and two workers run", flush=True)
    world = World(stack)
    time.sleep(WARM_SECONDS)
    monitor = stack.prefect.deployment("monitor_project_health")["id"]
    stack.prefect.start(monitor, "first tick", {"window": WINDOW})
    victim = _kill_the_fixs_worker(stack, processes)
    print(f"killed {victim} in the middle of the fix", flush=True)
    pulls = _wait_for_pull_request(stack, world, monitor)
    sessions = world.counts().sessions
    print(f"pull requests: {len(pulls)}; sessions (the fix and its shell): {sessions}", flush=True)
    world.close()
    stack.prefect.close()
    return 0 if len(pulls) == 1 and sessions == 2 else 1


def _kill_the_fixs_worker(stack: Stack, processes: Processes) -> str:
    """kill -9 the worker whose child runs the fix, with that child, while the agent works."""
    deployment = stack.prefect.deployment("generate_fix")["id"]
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for run in stack.prefect.runs(deployment):
            worker = _worker_of(run, processes)
            if worker and stack.has_session():
                processes.kill(worker)
                return worker
        time.sleep(0.2)
    raise DemoError("no fix was at work")


def _worker_of(run: dict[str, Any], processes: Processes) -> str | None:
    for name in WORKERS:
        for child in psutil.Process(processes.pid(name)).children(recursive=True):
            try:
                if child.environ().get("PREFECT__FLOW_RUN_ID") == run["id"]:
                    return name
            except psutil.Error:
                continue
    return None


def _wait_for_pull_request(stack: Stack, world: World, monitor: str) -> list[dict[str, Any]]:
    """Tick as the schedule does until the other worker has brought the fix to its end."""
    deadline, ticks = time.monotonic() + FIX_SECONDS, 0
    while time.monotonic() < deadline:
        pulls = world.pull_requests(SERVICE)
        if pulls:
            return pulls
        ticks += 1
        run = stack.prefect.start(monitor, f"tick {ticks}", {"window": WINDOW})
        stack.prefect.wait(run, 120, lambda: processes_alive(stack))
        time.sleep(15)
    raise DemoError("the fix did not end in a pull request")


def processes_alive(stack: Stack) -> None:
    """DemoError when something that must run has ended."""
    for name in ("prefect-server", "sandbox", "opencode"):
        stack.processes.require_running(name)


if __name__ == "__main__":
    sys.exit(main())
