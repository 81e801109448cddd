"""The short form of `make chaos`: a kill in each flow on the way to a pull request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.demo.processes import Processes
from tests.chaos.cases import GAP, Case, judge, run_case
from tests.chaos.line import Counts, Line

pytestmark = [pytest.mark.e2e, pytest.mark.world, pytest.mark.timeout(900)]
WARM_SECONDS = 60
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
    root: Path = tmp_path_factory.mktemp("chaos")
    with Processes(root / "logs") as processes:
        line = Line(root, processes)
        time.sleep(WARM_SECONDS)
        yield line
        line.close()


def test_a_kill_after_an_effect_and_before_its_record_doubles_nothing(line: Line) -> None:
    """A kill -9 in each flow, and the schedule goes on: one of everything."""
    outcome = run_case(line, Case(KILLS), UNDISTURBED)
    assert outcome.problems == [], outcome


def test_a_doubled_effect_is_seen() -> None:
    """The judge itself: two pull requests, a second planner call where none is allowed."""
    once = Counts(1, 13, 1, 1, 1, 1, 1, 0)
    assert judge(Case(("generate_fix/publish/returned/1",)), once, once) == []
    twice = Counts(2, 13, 1, 1, 1, 2, 1, 0)
    assert len(judge(Case(("generate_fix/publish/returned/1",)), twice, once)) == 2
    assert judge(Case((GAP,)), Counts(2, 13, 1, 1, 1, 1, 1, 0), once) == []
