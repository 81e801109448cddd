"""What the next tick's report says of a run that ended, by the run's own state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled, Crashed, Failed, State

from autofix.detect.turns import BACK_OFF, MAX_ATTEMPTS, Sick, take_turn
from autofix.models import Finding, IncidentRecord, IncidentState, Signal
from autofix.parameters import Autonomy
from autofix.tick import render_tick
from tasks.dispatch import _turn
from tests.conftest import NOW, WINDOW

WORK_ID = "0123456789-e1-a1"


def _report(state: State[Any], finding: Finding, *, attempt: int = 1, later: timedelta) -> str:
    """The report of a tick that finds the incident's only run in this state."""
    record = IncidentRecord(
        fingerprint="0123456789",
        episode=1,
        attempt=attempt,
        environment_id="env-1",
        service_id="svc-billing-api",
        service="billing-api",
        first_signal=Signal.http_5xx,
        deployed_commit="c" * 40,
        onset=NOW,
        opened_at=NOW,
        last_seen=NOW,
        state=IncidentState.handed_on,
        handed_on_at_autonomy="pull_request",
        handed_on_commit="c" * 40,
    )
    run = FlowRun(flow_id=uuid4(), state=state.model_copy(update={"timestamp": NOW}))
    sick = Sick(
        now=NOW + later,
        findings=[finding],
        commit="c" * 40,
        autonomy=Autonomy.pull_request,
        turn=_turn(run, [run], WORK_ID),
    )
    taken, due = take_turn(record, sick)
    handed_on = [taken.work_id] if due else []
    return render_tick(WINDOW, 8, [finding], [taken], handed_on, {}, [], Autonomy.pull_request)


@pytest.mark.parametrize("state", [Failed(message="the forge said no"), Crashed(message="SIGKILL")])
def test_a_failed_child_is_in_the_next_report(
    state: State[Any], make_finding: Callable[..., Finding]
) -> None:
    """With its reason while the back-off lasts, as a new attempt after it, and when it is given up."""
    finding = make_finding()
    waits = _report(state, finding, later=BACK_OFF / 2)
    assert f"failed: {state.message}; tried again later" in waits
    again = _report(state, finding, later=BACK_OFF)
    assert f"attempt 1 failed: {state.message}" in again
    assert "handed on now" in again
    given_up = _report(state, finding, attempt=MAX_ATTEMPTS, later=timedelta(days=1))
    assert f"failed {MAX_ATTEMPTS} times: {state.message}" in given_up
    assert "handed on now" not in given_up


def test_a_cancelled_child_says_how_to_go_on(make_finding: Callable[..., Finding]) -> None:
    """A person stopped it: nothing starts again by itself."""
    report = _report(Cancelled(message="not today"), make_finding(), later=timedelta(days=1))
    assert "its run was cancelled: not today; `force` starts a new attempt" in report
    assert "handed on now" not in report
