"""Runs of generate_fix's deployment as a worker works them off, and a person who answers forms."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import State, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow

from autofix.detect.turns import Turn
from autofix.models import ServiceContext
from flows.generate_fix import generate_fix
from tasks.dispatch import ANSWER_TAG, fetch_turns, work_tags

ROOT = Path(__file__).resolve().parents[2]


class Desk:
    """Starts runs of the deployment, works them off as a worker does, and answers their forms."""

    def __init__(self) -> None:
        with get_client(sync_client=True) as client:
            self.deployment = client.create_deployment(
                flow_id=client.create_flow(generate_fix),
                name="autofix",
                path=str(ROOT),
                entrypoint="flows/generate_fix.py:generate_fix",
            )

    def start(self, context: ServiceContext, autonomy: str = "approve") -> UUID:
        parameters = {
            "repository": context.incident.service.repository,
            "contexts": [context.model_dump(mode="json")],
            "architecture": "What runs.",
            "autonomy": autonomy,
        }
        with get_client(sync_client=True) as client:
            return client.create_flow_run_from_deployment(
                self.deployment, parameters=parameters, tags=work_tags([context.incident.work_id])
            ).id

    def work(self, run_id: UUID) -> State[Any]:
        """What a worker does with a run that is due; in this process, begun from its first line."""
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(run_id)
        with suppress(Pause):  # Prefect's engine ends the process on it
            run_flow(generate_fix, flow_run=run, parameters=run.parameters, return_type="state")
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(run_id).state
        assert state is not None
        return state

    def rerun(self, run_id: UUID) -> State[Any]:
        """A run of its own with the same parameters, as by *Copy to new run*."""
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(run_id)
            copy = client.create_flow_run_from_deployment(
                self.deployment, parameters=run.parameters
            )
        return self.work(copy.id)

    def answers(self) -> list[UUID]:
        """Runs that answer on the pull request, newest first."""
        tags = FlowRunFilterTags(all_=[ANSWER_TAG])
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(tags=tags), sort=FlowRunSort.EXPECTED_START_TIME_DESC
            )
        return [run.id for run in runs]

    def form(self, run_id: UUID) -> dict[str, Any]:
        """What the UI shows: the schema of the form and its description."""
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(run_id)
            assert run.state is not None
            keys = run.state.state_details.run_input_keyset
            assert keys is not None
            return {
                name: json.loads(client.read_flow_run_input(run_id, keys[name]))
                for name in ("description", "schema")
            }

    def answer(self, run_id: UUID, **answer: Any) -> str:
        """Resume as the UI does; what the server said to it."""
        with get_client(sync_client=True) as client:
            said = client.resume_flow_run(run_id, run_input=answer)
        return str(said.status.value)


def restart_server() -> None:
    """kill -9, and again on the same port and database."""
    from prefect.server.api.server import SubprocessASGIServer  # noqa: PLC0415 - two seconds of imports

    server = SubprocessASGIServer()
    assert server.server_process is not None
    server.server_process.kill()
    server.server_process.wait()
    server.running = False
    server.start(timeout=120)


def read_turn(work_id: str) -> Turn:
    @flow(name="looking")
    def look() -> dict[str, Any]:
        return dict(fetch_turns([work_id]))

    turn: Turn = look()[work_id]
    return turn
