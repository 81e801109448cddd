"""Loaded by every Python process of the worker; acts only where a flow runs.

Each task has points: before its function, after each of its writes over HTTP, when it has returned and
nothing is stored, and when its result is stored. They are written down as they come, so a task that is
new is covered without anyone remembering. At a point for which a plan lies there the process is
killed, or waits until somebody else was.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

FOLDER = os.environ.get("CHAOS_DIR")


class Points:
    """The points of one flow run's process."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.flow = None
        self.seen = {}

    def reach(self, task, phase):
        """Note a point; end here, or wait here, when the plan says so."""
        name = f"{task}/{phase}"
        self.seen[name] = turn = self.seen.get(name, 0) + 1
        point = f"{self.flow_name()}/{name}/{turn}"
        with (self.folder / "points.log").open("a") as log:
            log.write(f"{point}\n")
        plan = self.folder / "plans" / point.replace("/", "|")
        try:
            victim = plan.read_text()
            plan.rename(self.folder / "done" / plan.name)
        except OSError:
            return  # nobody dies here, or another thread was here first
        if victim == "flow":
            if self.flow_name() == "generate_fix":  # the only one that holds a lease
                (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        go = self.folder / "go"
        go.unlink(missing_ok=True)  # of an earlier point, whose process was killed while it waited
        (self.folder / "reached").touch()
        deadline = time.monotonic() + 120
        while not go.exists() and time.monotonic() < deadline:
            time.sleep(0.1)

    def flow_name(self):
        """Which flow runs in this process."""
        if self.flow is None:
            from prefect.context import FlowRunContext

            context = FlowRunContext.get()
            if context is not None and context.flow is not None:
                self.flow = context.flow.name
        return self.flow or "unknown"


def install(engine):
    """Put the points around Prefect's synchronous task engine, and around httpx."""
    points = Points(FOLDER)
    local = threading.local()
    call, success, run = (
        engine.SyncTaskRunEngine.call_task_fn,
        engine.SyncTaskRunEngine.handle_success,
        engine.run_task_sync,
    )

    def call_task_fn(self, transaction):
        points.reach(self.task.name, "before")
        outer, local.task = getattr(local, "task", None), self.task.name
        try:
            return call(self, transaction)
        finally:
            local.task = outer

    def handle_success(self, result, transaction):
        points.reach(self.task.name, "returned")
        return success(self, result, transaction=transaction)

    def run_task_sync(task, *arguments, **named):
        result = run(task, *arguments, **named)
        points.reach(task.name, "stored")
        return result

    engine.SyncTaskRunEngine.call_task_fn = call_task_fn
    engine.SyncTaskRunEngine.handle_success = handle_success
    engine.run_task_sync = run_task_sync

    import httpx

    request = httpx.Client.request

    def send(self, method, url, **content):
        answer = request(self, method, url, **content)
        agent = self.headers.get("user-agent", "")
        task = getattr(local, "task", None)
        if method != "GET" and agent.startswith("railway-autofix") and task:
            path = [part for part in httpx.URL(url).path.split("/") if part and not _is_id(part)]
            points.reach(task, f"{method} {path[-1] if path else ''}")
        return answer

    httpx.Client.request = send


def _is_id(part):
    return any(c.isdigit() for c in part)


class Finder:
    """Installs the points as soon as Prefect's task engine is imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "prefect.task_engine":
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            install(module)

        spec.loader.exec_module = exec_module
        return spec


if FOLDER and os.environ.get("PREFECT__FLOW_RUN_ID"):
    sys.meta_path.insert(0, Finder())
