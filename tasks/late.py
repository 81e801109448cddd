"""After a pause one look at the present does for every look that was missed."""

from __future__ import annotations

from datetime import datetime

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import deployment
from prefect.states import Cancelled

_WAITING = ["Scheduled", "Late"]
"""Not the ones that a person retries."""
_PAGE = 200


def cancel_late_runs(now: datetime) -> int:
    """Cancel what the schedule of this deployment still had for the time before now; how many.

    A worker that comes back after a pause finds every missed tick waiting. Those that it takes while
    one runs are refused by the deployment's limit, but the rest would run one after the other.
    """
    own: str | None = deployment.id
    if own is None:
        return 0
    cancelled = 0
    with get_client(sync_client=True) as client:
        while runs := _find_late(client, own, now):
            for run in runs:
                why = "missed during a pause; a later tick looked in its place"
                client.set_flow_run_state(run.id, Cancelled(message=why))
            cancelled += len(runs)
    if cancelled:
        get_run_logger().info("%d ticks that were missed during a pause are cancelled", cancelled)
    return cancelled


def _find_late(client: SyncPrefectClient, own: str, now: datetime) -> list[FlowRun]:
    found = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[own])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(name=FlowRunFilterStateName(any_=_WAITING)),
            expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
        ),
        limit=_PAGE,
    )
    return [run for run in found if run.auto_scheduled]
