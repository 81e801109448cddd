"""The whole line in one world: how far it may go, what it finds, and a kill in each flow.

The kills are the short form of `make chaos`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo.processes import Processes
from sandbox.demo.stack import Stack
from tests.chaos.cases import GAP, Case, judge, run_case
from tests.chaos.line import Counts, Line

pytestmark = [pytest.mark.e2e, pytest.mark.world, pytest.mark.timeout(900)]

HEALTHY = "catalog-api"
WINDOW = {"minutes": 1, "step_seconds": 5}
KILLS = (
    # each is after an effect and before it is written down
    "monitor_project_health/remember incidents/returned/1",
    "pull_service_context/start run/returned/1",
    "generate_fix/publish/POST pulls/1",
)
UNDISTURBED = Counts(1, 13, 1, 1, 1, 1, 1, 0)
"""What the incident costs when nobody dies: thirteen calls are the scripted agent's way to its commit."""


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Everything running, one of the sick services deployed without its fault."""
    root: Path = tmp_path_factory.mktemp("line")
    begun = time.monotonic()
    with Processes(root / "logs") as processes:
        line = Line(root, processes, healthy=(HEALTHY,))
        # a window of traffic, which began while the rest was started; a run takes a while to look
        time.sleep(max(0.0, 60 * WINDOW["minutes"] - (time.monotonic() - begun)))
        yield line
        line.close()


def _tick(stack: Stack, autonomy: str) -> None:
    """One monitor run and all that follows it."""
    monitor = stack.prefect.deployment("monitor_project_health")["id"]
    parameters = {"window": WINDOW, "autonomy": autonomy, "caps": {"new_pull_requests_per_tick": 5}}
    _ended(stack, stack.prefect.start(monitor, autonomy, parameters))
    for flow in ("pull_service_context", "generate_fix"):
        for run in _runs(stack, flow):
            _ended(stack, run["id"])


def _runs(stack: Stack, flow: str) -> list[dict[str, Any]]:
    return stack.prefect.runs(stack.prefect.deployment(flow)["id"])


def _ended(stack: Stack, run_id: str) -> None:
    run = stack.prefect.wait(run_id, 180, stack.require_alive)
    assert run["state_type"] == "COMPLETED", run["state"]


def test_report_makes_no_model_call_and_plan_no_session(line: Line) -> None:
    """`report` ends before the model, `plan` before the agent; a healed service has no child."""
    stack, world = line.stack, line.world
    _tick(stack, "report")
    assert world.counts().model_calls == 0
    assert _runs(stack, "generate_fix") == []
    affected = {
        i["service"]["name"]
        for i in _runs(stack, "pull_service_context")[0]["parameters"]["incidents"]
    }
    assert affected >= {"billing-api", "orders-web"}
    assert HEALTHY not in affected, "the finding came from its fault"

    _tick(stack, "plan")
    counts = world.counts()
    assert sorted(r["parameters"]["repository"] for r in _runs(stack, "generate_fix")) == [
        "acme/billing-api",
        "acme/orders-web",
    ]
    assert counts.model_calls == 2
    assert (counts.sessions, counts.pull_requests) == (0, 0)


def test_a_kill_after_an_effect_and_before_its_record_doubles_nothing(line: Line) -> None:
    """A kill -9 in each flow, and the schedule goes on: one of everything."""
    outcome = run_case(line, Case(KILLS), UNDISTURBED)
    assert (outcome.problems, outcome.missed) == ([], []), outcome


def test_a_doubled_effect_is_seen() -> None:
    """The judge itself: two pull requests, a second planner call where none is allowed."""
    once = Counts(1, 13, 1, 1, 1, 1, 1, 0)
    assert judge(Case(("generate_fix/publish/returned/1",)), once, once) == []
    twice = Counts(2, 13, 1, 1, 1, 2, 1, 0)
    assert len(judge(Case(("generate_fix/publish/returned/1",)), twice, once)) == 2
    assert judge(Case((GAP,)), Counts(2, 13, 1, 1, 1, 1, 1, 0), once) == []
