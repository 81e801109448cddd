"""Starts the next stage as a run of its own: once per key, found before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterIdempotencyKey,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import AwaitingRetry
from prefect.utilities.urls import url_for

from autofix.detect.turns import Turn
from autofix.models import Model, VerdictKind
from tasks.guard import guarded
from tasks.options import OWN

WAITS = "its plan waits for a person's approval: open the run and choose Resume"
MAX_RUNS = 3
"""How often one run may be brought back after a crash."""


ANSWER_TAG = "autofix-answer"
"""Of a run that answers on an open pull request: what it costs counts, how it ends does not."""
ALLOWED_LABEL = "autofix.allowed"
"""What a person allowed a run to change, as a list in JSON."""


class Started(Model):
    """A run of the next stage, new or found."""

    run_id: str
    name: str
    url: str
    new: bool
    ended: str = ""
    """How it ended, of a run that was found and goes on no more."""


def work_tags(work_ids: Iterable[str]) -> list[str]:
    """The tags by which the runs that took these turns are found again."""
    return [f"work:{work_id}" for work_id in work_ids]


@task(name="start run", task_run_name="start {name}", cache_policy=NO_CACHE, **OWN)
@guarded
def start_run(
    deployment: str, name: str, key: str, parameters: dict[str, Any], tags: list[str]
) -> Started:
    """The run with this key: found, brought back when it had crashed, else started.

    Args:
        deployment: ``flow-name/deployment-name``.
        name: what the UI lists it under.
        key: idempotency key; a second call with it never makes a second run.
        parameters: JSON, at most 512 KiB.
        tags: see `work_tags`.
    """
    with get_client(sync_client=True) as client:
        found = _find_by_key(client, key)
        if found is not None:
            _bring_back(client, found)
            return _started(found, new=False)
    made = run_deployment(
        deployment,
        parameters=parameters,
        idempotency_key=key,
        flow_run_name=name,
        tags=["autofix", *tags],
        timeout=0,
        as_subflow=False,
    )
    run = cast("FlowRun", made)  # typed as possibly awaitable; it is not in synchronous code
    return _started(run, new=True)


def find_first_run(flow: str, work_ids: Iterable[str]) -> str | None:
    """Id of the newest run of a flow that took all these turns and was no answer."""
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=work_tags(work_ids))),
            limit=50,
        )
    own = [run for run in runs if ANSWER_TAG not in run.tags]
    return str(max(own, key=_created).id) if own else None


def fetch_turns(work_ids: Iterable[str]) -> dict[str, Turn]:
    """How the runs stand that took these turns, by work id; crashed ones are brought back.

    A work id without any run is not in the result.
    """
    turns: dict[str, Turn] = {}
    with get_client(sync_client=True) as client:
        for work_id in work_ids:
            tags = FlowRunFilterTags(all_=work_tags([work_id]))
            runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=tags), limit=50)
            if not runs:
                continue
            back = [run.id for run in runs if _bring_back(client, run)]
            own = [run for run in runs if ANSWER_TAG not in run.tags]
            newest = max(own or runs, key=_created)
            turns[work_id] = _turn(newest, runs, work_id, goes_on=newest.id in back)
    return turns


def tell_monitor(labels: Mapping[str, str | float]) -> None:
    """Put labels on this run, from which the monitor's next tick reads what it came to.

    The monitor alone writes incident records; a run tells and does not write.
    """
    run_id = flow_run.get_id()
    if run_id is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run_labels(UUID(run_id), dict(labels))


def verdict_label(work_id: str) -> str:
    """The label of a run under which it says what it came to for this turn."""
    return f"autofix.verdict.{work_id}"


def action_label(work_id: str) -> str:
    """The label of a run under which it says what a person has to do about this turn."""
    return f"autofix.action.{work_id}"


def reason_label(work_id: str) -> str:
    """The label of a run under which it says why it came to its verdict for this turn."""
    return f"autofix.reason.{work_id}"


def declined_label(work_id: str) -> str:
    """The label of a run under which it says why a person declined its plan."""
    return f"autofix.declined.{work_id}"


def cost_label(work_id: str) -> str:
    """The label of a run under which it says what this turn cost, in US dollars."""
    return f"autofix.cost.{work_id}"


def _turn(newest: FlowRun, runs: Iterable[FlowRun], work_id: str, *, goes_on: bool = False) -> Turn:
    """How a turn stands, by its newest run; the verdict is the newest that was said.

    A run that was brought back goes on: it has not failed, and no new attempt is due beside it.
    """
    state = newest.state
    failed = state is not None and (state.is_failed() or state.is_crashed()) and not goes_on
    ordered = sorted(runs, key=_created)
    verdicts = [v for run in ordered if (v := run.labels.get(verdict_label(work_id)))]
    costs = [float(c) for run in ordered if (c := run.labels.get(cost_label(work_id)))]
    declined = [str(v) for run in ordered if (v := run.labels.get(declined_label(work_id)))]
    actions = [str(v) for run in ordered if (v := run.labels.get(action_label(work_id)))]
    said = _reason(newest, work_id)
    return Turn(
        failed_at=state.timestamp if failed and state else None,
        verdict=VerdictKind(str(verdicts[-1])) if verdicts else None,
        at=state.timestamp if state else None,
        reason=f"its run is brought back: {said}" if goes_on else said,
        action=actions[-1] if actions else "",
        cost=sum(costs),
        declined=declined[-1] if declined else "",
    )


def _reason(run: FlowRun, work_id: str) -> str:
    """What a run says of a turn, or its state; how to go on with one that waits or was cancelled."""
    if run.state is not None and run.state.is_paused():
        return WAITS
    said = (run.state.message or "") if run.state else ""
    if run.state is not None and run.state.is_completed():
        said = str(run.labels.get(reason_label(work_id)) or said)
    if run.state is None or not run.state.is_cancelled():
        return said
    return f"its run was cancelled{f': {said}' if said else ''}; `force` starts a new attempt"


def _find_by_key(client: SyncPrefectClient, key: str) -> FlowRun | None:
    by_key = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key]))
    runs = client.read_flow_runs(flow_run_filter=by_key, limit=1)
    return runs[0] if runs else None


def _comes_back(run: FlowRun) -> bool:
    return run.state is not None and run.state.is_crashed() and run.run_count < MAX_RUNS


def _bring_back(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Whether it had crashed and is started again."""
    if not _comes_back(run):
        return False
    get_run_logger().info("run %s had crashed; it is started again", run.name)
    client.set_flow_run_state(run.id, AwaitingRetry(message="brought back after a crash"))
    return True


def _created(run: FlowRun) -> datetime:
    return run.created or datetime.min.replace(tzinfo=UTC)


def _started(run: FlowRun, *, new: bool) -> Started:
    url = url_for("flow-run", run.id) or ""
    ended = ""
    if not new and run.state is not None and run.state.is_final() and not _comes_back(run):
        ended = run.state.message or run.state.name or "it ended"
    return Started(run_id=str(run.id), name=run.name, url=url, new=new, ended=ended)
