"""How far a run goes is what a person allowed, and what is found is what was measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.demo.processes import Processes
from sandbox.demo.stack import Stack
from sandbox.demo.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.world, pytest.mark.timeout(500)]

HEALTHY = "billing-api"
WINDOW = {"minutes": 1.5, "step_seconds": 5}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything running, one of the sick services deployed without its fault."""
    root = tmp_path_factory.mktemp("stack")
    with Processes(root / "logs") as processes:
        stack = Stack(root, processes, healthy=(HEALTHY,))
        stack.start_base()
        began = time.monotonic()
        stack.start_agent(stack.model())
        stack.deploy()
        stack.pause_schedules()
        stack.start_worker(stack.model())
        time.sleep(max(0.0, began + 95 - time.monotonic()))
        yield stack
        stack.prefect.close()


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    world = World(stack)
    yield world
    world.close()


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


def test_report_makes_no_model_call_and_plan_no_session(stack: Stack, world: World) -> None:
    """`report` ends before the model, `plan` before the agent; a healed service has no child."""
    _tick(stack, "report")
    assert world.counts().model_calls == 0
    assert _runs(stack, "generate_fix") == []
    affected = {
        i["service"]["name"]
        for i in _runs(stack, "pull_service_context")[0]["parameters"]["incidents"]
    }
    assert affected >= {"catalog-api", "orders-web"}
    assert HEALTHY not in affected, "the finding came from its fault"

    _tick(stack, "plan")
    counts = world.counts()
    assert sorted(r["parameters"]["repository"] for r in _runs(stack, "generate_fix")) == [
        "acme/catalog-api",
        "acme/orders-web",
    ]
    assert counts.model_calls == 2
    assert (counts.sessions, counts.pull_requests) == (0, 0)
