"""The second half of the demo: two merges, and whether the product tells them apart.

One fix is merged as it is. Another is merged after a person took its change back on the branch.
"""

from __future__ import annotations

import subprocess
import time
from typing import Any

from sandbox.demo.stack import Stack
from sandbox.demo.view import View
from sandbox.demo.world import Checks, World

KEPT, UNDONE = "billing-api", "orders-web"
"""Whose fix is merged as it is, and whose is merged without its change."""
VERIFY = "verify_fix"
OUTCOME_COLUMNS = ["service", "fix was merged", "outcome", "because"]
WARM_UP_SECONDS = 10
WINDOW_SECONDS = 60
STEP_SECONDS = 5
DEPLOY_SECONDS = 60
RUN_SECONDS = 120
VERIFICATION: dict[str, Any] = {
    "window": {"minutes": WINDOW_SECONDS / 60, "step_seconds": STEP_SECONDS},
    "verification": {"warm_up_minutes": WARM_UP_SECONDS / 60, "min_requests": 100},
}


def close_the_loop(
    stack: Stack, world: World, view: View, checks: Checks
) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Merge, wait for deployments and windows, verify; the runs that did it, and what came of it."""
    with view.step(f"merge {KEPT}'s fix; take {UNDONE}'s back on its branch and merge that"):
        _undo(world, UNDONE)
        for name in (KEPT, UNDONE):
            world.merge(name)
        _wait_for_deployments(stack, world)
    live = time.monotonic()
    with view.step(f"let {WARM_UP_SECONDS + WINDOW_SECONDS} s pass after the deployments"):
        while time.monotonic() < live + WARM_UP_SECONDS + WINDOW_SECONDS + STEP_SECONDS:
            stack.require_alive()
            time.sleep(0.5)
    with view.step("verify_fix, twice: each fix has one outcome"):
        runs = [_verify(stack, "verify"), _verify(stack, "verify again")]
    rows = [
        [name, how, *_check_outcome(world, checks, name, outcome)]
        for name, how, outcome in (
            (KEPT, "as it was", "recovered"),
            (UNDONE, "without its change", "unchanged"),
        )
    ]
    failing = world.failing_share(KEPT)
    checks.add(f"{KEPT} really recovered", failing == 0, f"{failing:.0%} of requests fail")
    return runs, rows


def _undo(world: World, name: str) -> None:
    """A person's commit on the branch that takes the fix's change back."""
    pull = world.pull_requests(name)[0]
    folder = world.checkout(name, pull["head"]["ref"])
    who = ("-c", "user.name=Robin", "-c", "user.email=robin@acme.test")
    for command in (
        ["git", *who, "revert", "--no-edit", f"{pull['base']['sha']}..HEAD"],
        ["git", "push", "--quiet", world.push_url(name), f"HEAD:{pull['head']['ref']}"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _wait_for_deployments(stack: Stack, world: World) -> None:
    deadline = time.monotonic() + DEPLOY_SECONDS
    waiting = {KEPT, UNDONE}
    while waiting and time.monotonic() < deadline:
        stack.require_alive()
        waiting = {name for name in waiting if not world.merge_is_live(name)}
        time.sleep(0.5)


def _verify(stack: Stack, name: str) -> dict[str, Any]:
    prefect = stack.prefect
    deployment = prefect.deployment(VERIFY)["id"]
    run_id = prefect.start(deployment, name, VERIFICATION)
    return prefect.require_completed(prefect.wait(run_id, RUN_SECONDS, stack.require_alive))


def _check_outcome(world: World, checks: Checks, name: str, outcome: str) -> list[str]:
    """The outcome that was found, and the first reason for it."""
    (pull,) = world.pull_requests(name)
    labels = [label["name"] for label in pull["labels"]]
    checks.add(f"{name}: labelled {outcome}", f"autofix:{outcome}" in labels, ", ".join(labels))
    comments = [c["body"] for c in world.comments(name, pull["number"]) if "outcome" in c["body"]]
    headline = comments[0].partition("## ")[2].partition("\n")[0] if comments else "no comment"
    right = len(comments) == 1 and headline.lower().startswith(outcome)
    checks.add(f"{name}: one comment says {outcome}", right, f"{len(comments)}: {headline}")
    reason = comments[0].partition("\n- ")[2].partition("\n")[0] if comments else ""
    return [headline, reason]
