"""What plans cost and how much was opened, counted on Prefect's own runs by their labels."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from autofix.errors import BudgetExceeded, ConfigError
from autofix.parameters import Caps
from autofix.plan.spending import Spent, require_day

FLOW = "generate_fix"
TOKENS, COST = "autofix.plan.tokens", "autofix.plan.cost"
OPENED = "autofix.pull_request"
"""The label under which a run says which pull request it opened."""
_DAY = timedelta(hours=24)
_PAGE, _PAGES = 200, 50


class Ledger:
    """The plans' spending of the last 24 hours, this run's included.

    A call is written down at its worst before it is made, and corrected when its real cost is known:
    of a run that is killed in between, the worst stays counted.
    """

    def __init__(self, run_id: str, caps: Caps) -> None:
        """Count on this flow run."""
        self._run_id = UUID(run_id)
        self._caps = caps

    def reserve(self, worst: Spent) -> None:
        """Write down a call before it is made; BudgetExceeded when the day's caps do not allow it."""
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(self._run_id)
            self._write(client, spent_on(run) + worst)
            try:
                require_day(_spent_today(client, run), self._caps)
            except BudgetExceeded:
                self._write(client, spent_on(run))
                raise

    def settle(self, reserved: Spent, real: Spent) -> None:
        """Put what a call did cost in the place of what was reserved."""
        with get_client(sync_client=True) as client:
            before = spent_on(client.read_flow_run(self._run_id))
            self._write(client, before - reserved + real)

    def _write(self, client: SyncPrefectClient, spent: Spent) -> None:
        labels: dict[str, bool | int | float | str] = {
            TOKENS: spent.tokens,
            COST: round(spent.cost, 6),
        }
        client.update_flow_run_labels(self._run_id, labels)


def spent_on(run: FlowRun) -> Spent:
    """What the plans of one run cost so far."""
    return Spent(tokens=int(run.labels.get(TOKENS, 0)), cost=float(run.labels.get(COST, 0.0)))


def require_room_today(caps: Caps) -> None:
    """BudgetExceeded when the runs of the last 24 hours opened as many pull requests as allowed."""
    run_id = flow_run.get_id()
    assert run_id is not None  # noqa: S101 - a task of a flow
    with get_client(sync_client=True) as client:
        runs = _runs_of_a_day(client, client.read_flow_run(UUID(run_id)))
    opened = {str(url) for run in runs if (url := run.labels.get(OPENED))}
    if len(opened) >= caps.pull_requests_per_day:
        reason = f"{len(opened)} were opened in the last 24 hours; raise caps.pull_requests_per_day"
        raise BudgetExceeded("pull_requests_per_day", reason)


def _spent_today(client: SyncPrefectClient, run: FlowRun) -> Spent:
    found = _runs_of_a_day(client, run)
    every = [spent_on(one) for one in found if one.id != run.id]
    own = spent_on(client.read_flow_run(run.id))
    return sum(every, start=own)


def _runs_of_a_day(client: SyncPrefectClient, run: FlowRun) -> list[FlowRun]:
    """All runs that began in the 24 hours before this one was last set going."""
    if run.state is None:
        raise ConfigError("the run has no state; start it through the Prefect server")
    since = FlowRunFilterStartTime(after_=run.state.timestamp - _DAY)
    found: list[FlowRun] = []
    for page in range(_PAGES):
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
            flow_run_filter=FlowRunFilter(start_time=since),
            limit=_PAGE,
            offset=page * _PAGE,
        )
        found += runs
        if len(runs) < _PAGE:
            break
    return found
