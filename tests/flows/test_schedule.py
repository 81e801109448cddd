"""Ticks that overlap, and ticks that were missed, on a real Prefect server and as prefect.yaml has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyOptions, FlowRun
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.states import AwaitingRetry, Completed, Pending, Running

from tasks.late import cancel_late_runs

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]
ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
SCHEDULED = [d for d in DEPLOYMENTS if d.get("schedules")]


@flow(name="looking_back")
def looking_back(now: datetime) -> int:
    return cancel_late_runs(now)


@pytest.fixture
def deploy() -> Callable[[str, dict[str, Any]], UUID]:
    """A deployment with the limit and the schedule that the file gives one."""

    def make(name: str, found: dict[str, Any]) -> UUID:
        limit = found["concurrency_limit"]
        with get_client(sync_client=True) as client:
            return client.create_deployment(
                flow_id=client.create_flow(looking_back),
                name=name,
                entrypoint="x.py:looking_back",
                concurrency_limit=limit["limit"],
                concurrency_options=ConcurrencyOptions(
                    collision_strategy=limit["collision_strategy"]
                ),
                schedules=[
                    DeploymentScheduleCreate(
                        schedule=IntervalSchedule(
                            interval=timedelta(seconds=found["schedules"][0]["interval"])
                        ),
                        active=False,  # the server's own scheduler stays out of it
                    )
                ],
            )

    return make


def _propose(run: FlowRun, state: Any) -> Any:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, state)
        return client.read_flow_run(run.id).state


def test_both_flows_with_a_schedule_look_every_ten_minutes() -> None:
    """The monitor and the verification; the other two are started by the stage before."""
    assert [d["entrypoint"].rpartition(":")[2] for d in SCHEDULED] == [
        "monitor_project_health",
        "verify_fix",
    ]
    assert {d["schedules"][0]["interval"] for d in SCHEDULED} == {600}


@pytest.mark.parametrize("found", SCHEDULED, ids=lambda d: d["entrypoint"].rpartition(":")[2])
def test_a_tick_that_overlaps_the_one_before_is_refused_with_that_reason(
    deploy: Callable[..., UUID], found: dict[str, Any]
) -> None:
    """Never run twice at once; as soon as the first has ended the next one may."""
    deployment = deploy(f"overlap-{found['entrypoint'][6:9]}", found)
    with get_client(sync_client=True) as client:
        first, second, third = (
            client.create_flow_run_from_deployment(deployment) for _ in range(3)
        )
    assert _propose(first, Pending()).is_pending()
    assert _propose(first, Running()).is_running()
    refused = _propose(second, Pending())
    assert refused.is_cancelled()
    assert "concurrency limit reached" in str(refused.message)
    assert _propose(first, Completed()).is_completed()
    assert _propose(third, Pending()).is_pending()


def _schedule(deployment: UUID, since: datetime, until: datetime) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        client.update_deployment_schedule(
            deployment, _only_schedule(client, deployment), active=True
        )
        client.request(
            "POST",
            f"/deployments/{deployment}/schedule",
            json={
                "start_time": since.isoformat(),
                "end_time": until.isoformat(),
                "min_runs": 36,
                "max_runs": 36,
            },
        ).raise_for_status()
        client.update_deployment_schedule(
            deployment, _only_schedule(client, deployment), active=False
        )
    return _runs(deployment)


def _only_schedule(client: Any, deployment: UUID) -> UUID:
    (schedule,) = client.read_deployment_schedules(deployment)
    found: UUID = schedule.id
    return found


def _runs(deployment: UUID) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(limit=200)
    return [run for run in runs if run.deployment_id == deployment]


def test_ticks_that_were_missed_during_a_pause_do_not_pile_up(
    deploy: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look does for all of them; what is still to come, and what a person retries, stays."""
    now = datetime.now(UTC)
    deployment = deploy("paused", SCHEDULED[0])
    runs = _schedule(deployment, now - timedelta(hours=5), now + timedelta(hours=1))
    missed = {run.id for run in runs if run.expected_start_time < now}
    coming = {run.id for run in runs} - missed
    assert len(missed) >= 29
    assert coming
    retried = next(run for run in runs if run.id in missed)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(retried.id, AwaitingRetry(message="by a person"), force=True)

    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(deployment))
    assert looking_back(now) == len(missed) - 1
    after = {run.id: run.state for run in _runs(deployment)}
    assert after[retried.id].name == "AwaitingRetry"
    cancelled = missed - {retried.id}
    assert {after[i].type.value for i in cancelled} == {"CANCELLED"}
    assert {after[i].message for i in cancelled} == {
        "missed during a pause; a later tick looked in its place"
    }
    assert {after[i].type.value for i in coming} <= {"SCHEDULED"}
    assert looking_back(now) == 0


def test_a_run_by_hand_cancels_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a deployment there is nothing that it stands for."""
    monkeypatch.delenv("PREFECT__RUNTIME__DEPLOYMENT__ID", raising=False)
    assert looking_back(datetime.now(UTC)) == 0
