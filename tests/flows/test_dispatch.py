from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from prefect import flow, tags
from prefect.client.orchestration import get_client
from prefect.states import Crashed, Failed

from autofix.models import VerdictKind
from tasks.dispatch import (
    Started,
    cost_label,
    fetch_turns,
    start_run,
    tell_monitor,
    verdict_label,
    work_tags,
)

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


@flow(name="next_stage")
def next_stage(number: int = 0) -> None:
    """Stands in for a stage that is only ever started."""


@flow(name="dispatching")
def dispatching(key: str, number: int, work_ids: list[str]) -> Started:
    return start_run(
        "next_stage/autofix", f"next {number}", key, {"number": number}, work_tags(work_ids)
    )


@flow(name="looking")
def looking(work_ids: list[str]) -> dict[str, Any]:
    return dict(fetch_turns(work_ids))


@pytest.fixture(autouse=True)
def _deployed() -> None:
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(next_stage)
        client.create_deployment(flow_id=flow_id, name="autofix", entrypoint="x.py:next_stage")


def _set_state(run_id: str, state: Any) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(run_id), state, force=True)


def _state_name(run_id: str) -> str:
    with get_client(sync_client=True) as client:
        return str(client.read_flow_run(UUID(run_id)).state.name)


def test_a_key_starts_one_run_and_finds_it_again() -> None:
    """The second call with a key returns the first run, its parameters untouched."""
    first = dispatching("key-1", 1, ["w1"])
    again = dispatching("key-1", 2, ["w1"])
    assert (first.new, again.new) == (True, False)
    assert first.run_id == again.run_id
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(UUID(first.run_id)).parameters == {"number": 1}


def test_a_crashed_run_is_brought_back() -> None:
    """Found crashed, the run is scheduled again instead of being taken as it is."""
    first = dispatching("key-2", 1, ["w2"])
    _set_state(first.run_id, Crashed(message="SIGKILL"))
    dispatching("key-2", 1, ["w2"])
    assert _state_name(first.run_id) == "AwaitingRetry"


def test_turns_say_which_attempts_failed_and_which_never_came_to_be() -> None:
    """A failed run has its time, a scheduled one none, and an unknown work id is absent."""
    failed = dispatching("key-3", 1, ["w3"])
    _set_state(failed.run_id, Failed(message="refused"))
    dispatching("key-4", 1, ["w4"])
    turns = looking(["w3", "w4", "w5"])
    assert turns["w3"].failed_at is not None
    assert turns["w4"].failed_at is None
    assert "w5" not in turns


@flow(name="telling")
def telling(work_id: str) -> None:
    tell_monitor({verdict_label(work_id): "wait_upstream", cost_label(work_id): 0.25})


def test_a_run_tells_what_it_came_to_and_the_monitor_reads_it() -> None:
    """Verdict and cost by work id, from the labels of the run that had the turn."""
    with tags(*work_tags(["w6"])):
        telling("w6")
    turn = looking(["w6"])["w6"]
    assert (turn.verdict, turn.cost) == (VerdictKind.wait_upstream, 0.25)
