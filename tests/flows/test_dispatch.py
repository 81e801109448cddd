from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, tags
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.states import Crashed, Failed, Running

from autofix.models import VerdictKind
from autofix.parameters import Autonomy, Caps
from tasks.detect import Due
from tasks.dispatch import (
    ANSWER_TAG,
    MAX_RUNS,
    Started,
    cost_label,
    fetch_turns,
    reason_label,
    start_run,
    tell_monitor,
    verdict_label,
    work_tags,
)
from tasks.handover import hand_to_context

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


@flow(name="pull_service_context")
def pull_service_context(incidents: list[Any] | None = None) -> None:
    """Stands in for the next stage; it is only ever started."""


@flow(name="ticking")
def ticking(first: Due, second: Due, observation: Any) -> list[Started]:
    """What one run of the monitor hands on when it is run, and run again by a person."""
    return [
        hand_to_context(due, observation, (), autonomy=Autonomy.report, caps=Caps())
        for due in (first, first, second)
    ]


def test_a_tick_that_is_run_again_starts_what_is_new_and_nothing_twice(
    make_context: Callable[..., Any],
) -> None:
    """The same turns find their run; others get one of their own, under their own names."""
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(pull_service_context)
        client.create_deployment(flow_id=flow_id, name="autofix", entrypoint="x.py:x")
    due = [Due(incidents=(make_context(name).incident,)) for name in ("billing-api", "orders-web")]
    other = due[1].incidents[0].model_copy(update={"fingerprint": "9876543210"})
    observation = SimpleNamespace(step=timedelta(seconds=60))
    first, again, new = ticking(due[0], Due(incidents=(other,)), observation)
    assert (first.new, again.new, new.new) == (True, False, True)
    assert first.run_id == again.run_id != new.run_id
    assert first.name == "context of billing-api (http_5xx)"
    assert new.name == "context of orders-web (http_5xx)"


def test_a_run_that_crashes_again_and_again_is_brought_back_a_few_times_only() -> None:
    """Then it stays crashed, and counts as a failed attempt."""
    run = dispatching("key-bound", 1, ["w-bound"])
    for count in range(1, MAX_RUNS + 2):
        _set_state(run.run_id, Running())
        _set_state(run.run_id, Crashed(message="SIGKILL"))
        turn = looking(["w-bound"])["w-bound"]
        goes_on = count < MAX_RUNS
        assert _state_name(run.run_id) == ("AwaitingRetry" if goes_on else "Crashed"), count
        assert (turn.failed_at is None) == goes_on, "no new attempt beside one that goes on"
        assert ("brought back" in turn.reason) == goes_on


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
    said = {verdict_label(work_id): "wait_upstream", reason_label(work_id): "Paywell is down"}
    tell_monitor({**said, cost_label(work_id): 0.25})


def test_a_run_tells_what_it_came_to_and_the_monitor_reads_it() -> None:
    """Verdict and cost by work id, from the labels of the run that had the turn."""
    with tags(*work_tags(["w6"])):
        telling("w6")
    turn = looking(["w6"])["w6"]
    assert (turn.verdict, turn.cost) == (VerdictKind.wait_upstream, 0.25)
    assert turn.reason == "Paywell is down", "of this turn, not of the whole run"


def test_an_answer_on_a_pull_request_costs_and_decides_nothing() -> None:
    """How it ended says nothing about the attempt that made the pull request."""
    with tags(*work_tags(["w8"])):
        telling("w8")
    with tags(ANSWER_TAG, *work_tags(["w8"])):
        telling("w8")
    with get_client(sync_client=True) as client:
        by_tag = FlowRunFilter(tags=FlowRunFilterTags(all_=[ANSWER_TAG, *work_tags(["w8"])]))
        (answer,) = client.read_flow_runs(flow_run_filter=by_tag)
    _set_state(str(answer.id), Failed(message="no agent"))
    turn = looking(["w8"])["w8"]
    assert turn.failed_at is None
    assert turn.cost == 0.5


def test_a_found_run_says_whether_it_goes_on() -> None:
    """One that ended in an error is over; one that crashed is brought back."""
    failed = dispatching("key-9", 1, ["w9"])
    assert failed.ended == ""
    _set_state(failed.run_id, Failed(message="the branch moved"))
    assert dispatching("key-9", 1, ["w9"]).ended == "the branch moved"
    crashed = dispatching("key-10", 1, ["w10"])
    _set_state(crashed.run_id, Crashed(message="SIGKILL"))
    assert dispatching("key-10", 1, ["w10"]).ended == ""
