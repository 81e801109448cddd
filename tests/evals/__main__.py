"""``python -m tests.evals``: every sandbox scenario with a real model, when a key is set.

The whole line runs as in the demo. Per scenario: is the verdict right, is the right file changed, do
its tests pass, is the fault gone, and what did it cost. Ends with 1 when one of them is not right.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.demo.__main__ import FIX, MONITOR, PULL, RUN_SECONDS
from sandbox.demo.processes import DemoError, Processes
from sandbox.demo.stack import Model, Stack
from sandbox.demo.world import SICK, World
from tests.evals.score import EXPECTED, Score, read_verdict, render_scores

WINDOW_SECONDS = 90
SESSION_SECONDS = 2_400
SKIPPED = "skipped: OPENAI_API_KEY is not set, so no real model was asked and nothing was evaluated"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.evals", description=__doc__)
    parser.add_argument(
        "--rehearsal",
        action="store_true",
        help="without a key, with the scripted rehearsal: tries the harness and says nothing about models",
    )
    rehearsal = parser.parse_args().rehearsal
    if not os.environ.get("OPENAI_API_KEY") and not rehearsal:
        print(SKIPPED)
        return 0
    with tempfile.TemporaryDirectory(prefix="railway-autofix-evals-") as folder:
        try:
            return _evaluate(Path(folder))
        except DemoError as error:
            print(f"the evaluation stopped: {error}", file=sys.stderr)
            return 1


def _evaluate(root: Path) -> int:
    with Processes(root / "logs") as processes:
        stack = Stack(root, processes)
        stack.start_base()
        began, model = time.monotonic(), stack.model()
        stack.start_agent(model)
        stack.deploy()
        stack.pause_schedules()
        stack.start_worker(model)
        time.sleep(max(0.0, began + WINDOW_SECONDS + 5 - time.monotonic()))
        world = World(stack)
        try:
            fixes = _run_line(stack)
            scores = [_score(stack, world, name, fixes) for name in EXPECTED]
        finally:
            world.close()
            stack.prefect.close()
    print(render_scores(scores, _models(model), f"{datetime.now(UTC):%Y-%m-%d}"))
    return 0 if all(score.is_right for score in scores) else 1


def _run_line(stack: Stack) -> list[dict[str, Any]]:
    """One tick and all that follows it; the runs of generate_fix."""
    prefect = stack.prefect
    parameters = {
        "window": {"minutes": WINDOW_SECONDS / 60, "step_seconds": 5},
        "caps": {"new_pull_requests_per_tick": 9},
    }
    first = prefect.start(prefect.deployment(MONITOR)["id"], "evaluation", parameters)
    prefect.require_completed(prefect.wait(first, RUN_SECONDS, stack.require_alive))
    for flow in (PULL, FIX):
        for run in prefect.runs(prefect.deployment(flow)["id"]):
            prefect.wait(run["id"], SESSION_SECONDS, stack.require_alive)
    return prefect.runs(prefect.deployment(FIX)["id"])


def _score(stack: Stack, world: World, name: str, fixes: list[dict[str, Any]]) -> Score:
    verdict = read_verdict(stack.prefect.artifact(f"context-{name}"))
    own = [run for run in fixes if run["parameters"]["repository"] == world.repository(name)]
    labels = [run.get("labels") or {} for run in own]
    tokens = sum(int(found.get("autofix.plan.tokens", 0)) for found in labels)
    costs = [
        float(found["autofix.plan.cost"]) for found in labels if found.get("autofix.plan.cost")
    ]
    pulls = world.pull_requests(name)
    if not pulls:
        return Score(name, verdict, tokens=tokens, cost=sum(costs) if costs else None)
    folder = world.checkout(name, pulls[0]["head"]["ref"])
    return Score(
        service=name,
        verdict=verdict,
        changed=_changed(folder),
        tests_pass=world.tests_pass(folder)[0],
        is_cured=world.is_cured(name, folder)[0] if name in SICK else None,
        tokens=tokens,
        cost=sum(costs) if costs else None,
    )


def _changed(folder: Path) -> tuple[str, ...]:
    command = ["git", "-C", str(folder), "diff", "--name-only", "origin/main...HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(done.stdout.split())


def _models(model: Model) -> str:
    if model.scripted:
        return "rehearsal (scripted, no model)"
    return f"{model.environment['AUTOFIX_MODEL']}, {model.environment['AUTOFIX_AGENT_MODEL']}"


if __name__ == "__main__":
    sys.exit(main())
