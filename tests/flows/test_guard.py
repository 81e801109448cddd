"""A secret in an exception reaches neither Prefect's states nor its logs."""

from __future__ import annotations

import time
from random import Random

import pytest
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

from tasks.guard import guarded
from tests.support.redaction import made

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]

TOKEN = made.TOKENS["github classic"](Random(3))


@task(cache_policy=NO_CACHE)
@guarded
def push() -> None:
    get_run_logger().warning("pushing with %s", TOKEN)
    raise ValueError(f"remote refused {TOKEN}")


@flow(log_prints=True)
def publishing() -> None:
    print(f"printed {TOKEN}")  # noqa: T201
    push()


def test_states_and_logs_are_clean() -> None:
    """What was logged, what was printed, the traceback, and both states' messages."""
    state = publishing(return_state=True)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
        tasks = client.read_task_runs()
        texts = [str(state.message), str(run.state.message)]
        texts += [str(t.state.message) for t in tasks if t.flow_run_id == run.id]
        wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        for _ in range(100):
            logs = [log.message for log in client.read_logs(wanted)]
            if sum("«github-token:" in message for message in logs) >= 3:
                break
            time.sleep(0.2)
    shown = "\n".join([*texts, *logs])
    assert "ValueError: remote refused «github-token:" in state.message
    assert "pushing with «github-token:" in shown
    assert "printed «github-token:" in shown
    assert "Traceback" in shown
    assert TOKEN not in shown
