"""``python -m tests.pictures [FOLDER]``: the pages a person looks at, from a real run. ``make pictures``.

One sick service is found, planned for, approved and fixed with everything real but the model, which is
scripted; then the sandbox's platform refuses the token, so that a run fails.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from sandbox.demo.prefect_api import FINAL
from sandbox.demo.processes import Processes
from tests.chaos.line import FLOWS, WINDOW, Line
from tests.pictures.browser import NoBrowser, browser, find_browser

MONITOR, _, FIX, _ = FLOWS
WARM_SECONDS = 70
PATIENCE = 240
"""Seconds within which each stage has to be reached."""
Page = tuple[str, str, int, tuple[str, ...]]
"""Name, path, height in pixels, and what is pressed."""


def main(folder: Path) -> int:
    """0 when all pictures were taken; 2 without a browser."""
    try:
        find_browser()
    except NoBrowser as why:
        sys.stderr.write(f"pictures: {why}\n")
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="autofix-pictures-") as scratch:
        root = Path(scratch)
        with Processes(root / "logs") as processes, browser(processes, root) as page:
            line = Line(root, processes)
            try:
                time.sleep(WARM_SECONDS)
                for name, path, height, clicks in _story(line):
                    url = f"{line.stack.prefect_url}{path}"
                    page.take(url, folder / f"{name}.png", height=height, clicks=clicks)
                    sys.stdout.write(f"{name}.png\n")
                    sys.stdout.flush()
            finally:
                line.close()
    return 0


def _story(line: Line) -> Iterator[Page]:
    """The pages in the order in which they come to be; none shows the log, which names folders."""
    api = line.stack.prefect
    line.begin()
    monitor = api.deployment(MONITOR)["id"]
    yield "parameters", f"/deployments/deployment/{monitor}/run", 1500, ()

    run = api.start(monitor, "look", {"window": WINDOW, "autonomy": "approve"})
    _wait("the tick", lambda: _ended(line, MONITOR))
    report = _ask(line, "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
    tick = next(artifact["id"] for artifact in report if artifact["key"] == "tick")
    yield "report", f"/artifacts/artifact/{tick}", 1500, ()

    fix = _wait("the question", lambda: _ended(line, FIX, {"PAUSED"}))
    yield "approval", f"/runs/flow-run/{fix}", 1500, ("Task Runs", "Resume")

    answer = _ask(line, f"/flow_runs/{fix}/resume", {"run_input": {"decision": "approve"}})
    assert answer["status"] == "ACCEPT", answer
    _wait("the fix", lambda: _ended(line, FIX))
    yield "fix", f"/runs/flow-run/{fix}", 1200, ("Task Runs",)

    _refuse_token(line)
    failed = api.start(monitor, "look with a dead token", {"window": WINDOW})
    _wait("the failure", lambda: all(r["state_type"] in FINAL for r in line.runs(MONITOR)))
    yield "failed", f"/runs/flow-run/{failed}", 1000, ("Details",)


def _ended(line: Line, flow: str, states: set[str] = FINAL) -> str | None:
    """The id of a run of this flow that is in one of the states."""
    return next((run["id"] for run in line.runs(flow) if run["state_type"] in states), None)


def _refuse_token(line: Line) -> None:
    address = line.stack.settings["RAILWAY_API_URL"].partition("/graphql")[0]
    fault = {"mode": "401", "times": 1000, "path": "."}
    httpx.post(f"{address}/_sandbox/faults", json=fault, trust_env=False).raise_for_status()


def _ask(line: Line, path: str, body: dict[str, Any]) -> Any:
    url = f"{line.stack.prefect_url}/api{path}"
    return httpx.post(url, json=body, timeout=30, trust_env=False).raise_for_status().json()


def _wait(what: str, look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {PATIENCE} s")
        time.sleep(1)
    return found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")))
