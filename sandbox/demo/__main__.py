"""``python -m sandbox.demo [--keep]``: from sick services to draft pull requests, for real."""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from sandbox.demo.closing import OUTCOME_COLUMNS, close_the_loop
from sandbox.demo.prefect_api import FINAL
from sandbox.demo.processes import DemoError, Processes
from sandbox.demo.stack import Model, Stack
from sandbox.demo.view import View
from sandbox.demo.world import CONTROLS, SICK, WAITING, Checks, World
from sandbox.egress import INCIDENT

WINDOW_SECONDS = 90
STEP_SECONDS = 5
RUN_SECONDS = 240
"""How long one flow run may take before the demo gives up."""

MONITOR, PULL, FIX = "monitor_project_health", "pull_service_context", "generate_fix"


def main() -> int:
    """Run the demo; 0 only if all of it was seen to happen."""
    arguments = _arguments()
    view = View()
    root = Path(tempfile.mkdtemp(prefix="railway-autofix-"))
    try:
        with Processes(root / "logs") as processes:
            status = _run(Stack(root, processes), view, keep=arguments.keep)
    except KeyboardInterrupt:
        view.say("interrupted; everything that was started has been ended")
        status = 130
    except DemoError as error:
        view.console.print(f"[red]the demo stopped:[/red] {error}", markup=True, soft_wrap=True)
        status = 1
    if status:
        view.say(f"logs: {root / 'logs'}")
    else:
        shutil.rmtree(root, ignore_errors=True)
    return status


def _run(stack: Stack, view: View, *, keep: bool) -> int:
    with view.step("start the sandbox and the Prefect server"):
        stack.start_base()
    began = time.monotonic()
    model = stack.model()
    view.say(f"model: [bold]{model.name}[/bold]")
    with view.step("start OpenCode, deploy the flows, start the worker"):
        stack.start_agent(model)
        stack.deploy()
        stack.pause_schedules()
        stack.start_worker(model)
    with view.step("autofix doctor: every setting against its other side"):
        wrong = stack.doctor(model)
    world = World(stack)
    try:
        status = _story(stack, world, view, model, began, wrong)
        if keep:
            view.say("everything keeps running; Ctrl-C ends it")
            signal.pause()
    finally:
        world.close()
        stack.prefect.close()
    return status


def _story(
    stack: Stack,
    world: World,
    view: View,
    model: Model,
    began: float,
    wrong: list[dict[str, Any]],
) -> int:
    checks = Checks()
    checks.add("autofix doctor finds nothing wrong", not wrong, str(wrong))
    with view.step(f"let {WINDOW_SECONDS} s of traffic pass; reproduce each fault on main"):
        _reproduce_on_main(world, checks)
        while time.monotonic() < began + WINDOW_SECONDS + STEP_SECONDS:
            stack.require_alive()
            time.sleep(0.5)
    monitor = stack.prefect.deployment(MONITOR)["id"]
    runs = _whole_line(stack, view, monitor)
    found = _found(stack)
    with view.step("check the pull requests: tests and reproduction on each branch"):
        rows = [_check_service(world, checks, name, found) for name in SICK]
        rows += [_check_waiting(stack, world, checks, name, found) for name in WAITING]
        rows += [_check_control(world, checks, name, found) for name in CONTROLS]
    with view.step("run the monitor a second time: nothing may be done twice"):
        _second_tick(stack, world, checks, monitor)
    verified, outcomes = close_the_loop(stack, world, view, checks)
    _show(view, rows, [*runs, *verified])
    view.table("After the merge, seen by the same detector", OUTCOME_COLUMNS, outcomes)
    _conclude(stack, view, checks, model)
    return 1 if checks.failed else 0


def _reproduce_on_main(world: World, checks: Checks) -> None:
    for name in SICK:
        cured, line = world.is_cured(name, world.checkout(name, "main"))
        checks.add(f"{name}: the fault shows on main", not cured, line)


def _whole_line(stack: Stack, view: View, monitor: str) -> list[dict[str, Any]]:
    """Run the monitor through the server and wait for all that follows; the runs in order."""
    prefect = stack.prefect
    with view.step("monitor_project_health"):
        first = prefect.wait(
            prefect.start(monitor, "first tick", _parameters()), RUN_SECONDS, stack.require_alive
        )
    prefect.require_completed(first)
    with view.step("pull_service_context"):
        pull = _wait_all(stack, PULL, least=1)
    with view.step("generate_fix, one per repository"):
        fixes = _wait_all(stack, FIX, least=1)
    return [first, *pull, *fixes]


def _wait_all(stack: Stack, flow: str, least: int) -> list[dict[str, Any]]:
    """Every run of a flow once all have ended; DemoError when one ended badly."""
    prefect = stack.prefect
    deployment = prefect.deployment(flow)["id"]
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        stack.require_alive()
        runs = prefect.runs(deployment)
        if len(runs) >= least and all(run["state_type"] in FINAL for run in runs):
            for run in runs:
                prefect.require_completed(run)
            return runs
        time.sleep(0.5)
    raise DemoError(f"{flow} did not end within {RUN_SECONDS} s")


def _found(stack: Stack) -> dict[str, str]:
    """The signals that were found, by service, as the monitor handed them on."""
    found: dict[str, str] = {}
    for run in stack.prefect.runs(stack.prefect.deployment(PULL)["id"]):
        for incident in run["parameters"]["incidents"]:
            signals = [
                f"{'✖' if f['severity'] == 'critical' else '⚠'} {f['signal']} "
                f"{f['value']:,.0f} {f['unit']}"
                for f in incident["findings"]
            ]
            found[incident["service"]["name"]] = "\n".join(signals)
    return found


def _check_service(world: World, checks: Checks, name: str, found: dict[str, str]) -> list[str]:
    pulls = world.pull_requests(name)
    is_draft = len(pulls) == 1 and pulls[0]["draft"] and pulls[0]["state"] == "open"
    checks.add(f"{name}: one open draft pull request", is_draft, f"{len(pulls)} found")
    row = [name, SICK[name], found.get(name, "nothing")]
    if not is_draft:
        return [*row, "[red]none[/red]", "", ""]
    folder = world.checkout(name, pulls[0]["head"]["ref"])
    passed, tests = world.tests_pass(folder)
    checks.add(f"{name}: its own tests pass on the branch", passed, tests)
    cured, reproduction = world.is_cured(name, folder)
    checks.add(f"{name}: the fault is gone on the branch", cured, reproduction)
    pull = f"{world.repository(name)}#{pulls[0]['number']} (draft)"
    return [
        *row,
        pull,
        *("[green]pass[/green]" if ok else "[red]fail[/red]" for ok in (passed, cured)),
    ]


def _check_waiting(
    stack: Stack, world: World, checks: Checks, name: str, found: dict[str, str]
) -> list[str]:
    """The verdict names the provider's incident; nothing is opened, and its page is asked once."""
    pulls = world.pull_requests(name)
    checks.add(f"{name}: no pull request", not pulls, f"{len(pulls)} found")
    text = stack.prefect.artifact(f"context-{name}") or ""
    named = f"wait_upstream: Paywell has an unresolved incident since .*: {INCIDENT}"
    waits = re.search(named, text) is not None
    checks.add(f"{name}: the verdict is to wait, with the incident named", waits, text[:200])
    asked = world.status_requests()
    checks.add(f"{name}: the status page was asked once", asked == 1, f"{asked} times")
    pull = "none: wait for the provider" if waits and not pulls else "[red]unwanted[/red]"
    return [name, WAITING[name], found.get(name, "nothing"), pull, "", ""]


def _check_control(world: World, checks: Checks, name: str, found: dict[str, str]) -> list[str]:
    pulls = world.pull_requests(name)
    checks.add(f"{name}: no pull request", not pulls, f"{len(pulls)} found")
    pull = "none, as it should be" if not pulls else "[red]unwanted[/red]"
    return [name, CONTROLS[name], found.get(name, "nothing"), pull, "", ""]


def _second_tick(stack: Stack, world: World, checks: Checks, monitor: str) -> None:
    before = world.counts()
    run_id = stack.prefect.start(monitor, "second tick", _parameters())
    run = stack.prefect.wait(run_id, RUN_SECONDS, stack.require_alive)
    stack.prefect.require_completed(run)
    _wait_all(stack, PULL, least=1)
    _wait_all(stack, FIX, least=1)
    after = world.counts()
    checks.add("a second tick does nothing twice", before == after, f"{before} then {after}")
    leaks = world.leaks()
    checks.add("no secret is stored or published", not leaks, ", ".join(leaks[:5]))
    checks.add("the model was really asked", after.model_calls > 0, f"{after.model_calls} calls")
    checks.add("the agent really worked", after.sessions > 0, f"{after.sessions} sessions")


def _parameters() -> dict[str, Any]:
    """The deployment's own parameters, but a short window and room for three pull requests."""
    return {
        "window": {"minutes": WINDOW_SECONDS / 60, "step_seconds": STEP_SECONDS},
        "caps": {"new_pull_requests_per_tick": 5},
    }


def _show(view: View, rows: list[list[str]], runs: list[dict[str, Any]]) -> None:
    columns = ["service", "what it is", "what was found", "pull request", "tests", "reproduction"]
    view.table("What was found, and what came of it", columns, rows)
    view.table("How long each stage took", ["run", "at work", "with start-up"], _times(runs))


def _conclude(stack: Stack, view: View, checks: Checks, model: Model) -> None:
    for failure in checks.failed:
        view.console.print(f"[red]✗[/red] {failure}", soft_wrap=True)
    if not checks.failed:
        view.console.print(f"\n[green]✓[/green] all {len(checks.seen)} checks on the world hold")
    if model.scripted:
        view.console.print("Plans and fixes came from the [bold]rehearsal model (scripted)[/bold].")
    _addresses(stack, view)


def _times(runs: list[dict[str, Any]]) -> list[list[str]]:
    """Per run: the time at work, and from when it was asked for until it ended."""
    return [
        [
            run["name"],
            f"{run['total_run_time']:.0f} s",
            f"{(_at(run['end_time']) - _at(run['created'])).total_seconds():.0f} s",
        ]
        for run in runs
    ]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _addresses(stack: Stack, view: View) -> None:
    forge = httpx.URL(stack.settings["GITHUB_URL"])
    view.console.print(f"Prefect UI  {stack.prefect_url}\nforge       {forge}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
