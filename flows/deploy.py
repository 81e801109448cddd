"""One idempotent deploy command: the work pool, its limits, and every deployment of prefect.yaml.

``python -m flows.deploy`` from the project's folder, with PREFECT_API_URL set.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL

ROOT = Path(__file__).resolve().parent.parent
POOL = "autofix"
POOL_CONCURRENCY = 4
"""Runs at once; each is a process of some 200 MB."""
HEARTBEAT_SECONDS = 60
"""As prefect.yaml sets it for every run."""
_HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)
"""After which a run counts as dead."""


def deploy() -> int:
    """Create what is missing, update what is there; the exit status says whether all was applied."""
    if not PREFECT_API_URL.value():
        return _refuse(
            "PREFECT_API_URL is not set: start a Prefect server (prefect server start) and set it "
            "to its address, for example http://127.0.0.1:4200/api"
        )
    file = ROOT / "prefect.yaml"
    problems = [*find_unknown_parameters(file), *find_unwatched(file)]
    if problems:
        return _refuse(*problems)
    try:
        with get_client(sync_client=True) as client:
            _ensure_pool(client)
            ensure_automation(client, lost_runs())
    except httpx.ConnectError:
        return _refuse(
            f"no Prefect server answers at {PREFECT_API_URL.value()}: start it, or correct "
            "PREFECT_API_URL"
        )
    environment = {**os.environ, "AUTOFIX_DIR": os.environ.get("AUTOFIX_DIR", str(ROOT))}
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    # a skipped deployment is only a line in its output, and its exit status stays 0
    if done.returncode or "Invalid fields" in done.stdout or "Skipping" in done.stdout:
        print(done.stdout, done.stderr, file=sys.stderr)  # noqa: T201
        return done.returncode or 1
    print(f"deployed to work pool {POOL!r}: " + ", ".join(_names(ROOT / "prefect.yaml")))  # noqa: T201
    return 0


def _refuse(*lines: str) -> int:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201
    return 2


def find_unknown_parameters(file: Path) -> list[str]:
    """One line for each parameter in the file that its flow does not take, or would refuse.

    Prefect accepts an unknown name at deploy time and lets the run crash; here it is an error.
    """
    from prefect.flows import load_flow_from_entrypoint  # noqa: PLC0415 - slow, only needed here

    problems: list[str] = []
    for deployment in _load(file)["deployments"]:
        entrypoint, parameters = deployment["entrypoint"], deployment.get("parameters", {})
        flow: Any = load_flow_from_entrypoint(
            str(file.parent / entrypoint), use_placeholder_flow=False
        )
        known = set(flow.parameters.properties)
        unknown = sorted(set(parameters) - known)
        problems += [f"prefect.yaml: {entrypoint} has no parameter {name!r}" for name in unknown]
        if not unknown:
            problems += _refused(flow, parameters, entrypoint)
    return problems


def find_unwatched(file: Path) -> list[str]:
    """One line for each deployment whose dead runs nobody would find, or whose live ones count as dead."""
    problems: list[str] = []
    for deployment in _load(file)["deployments"]:
        named = f"prefect.yaml: {deployment['entrypoint']} ({deployment['name']})"
        variables = deployment.get("work_pool", {}).get("job_variables", {})
        beat = str(variables.get("env", {}).get(_HEARTBEAT, ""))
        if "autofix" not in deployment.get("tags", ()):
            problems.append(f"{named} needs the tag 'autofix'")
        if not beat.isdigit() or int(beat) > HEARTBEAT_SECONDS:
            problems.append(f'{named} needs {_HEARTBEAT}: "{HEARTBEAT_SECONDS}" in its env')
    return problems


def _refused(flow: Any, parameters: dict[str, Any], entrypoint: str) -> list[str]:
    if flow.parameters.required:
        return []
    try:
        flow.validate_parameters(parameters)
    except Exception as error:  # noqa: BLE001 - Prefect wraps pydantic's error in its own
        return [f"prefect.yaml: {entrypoint}: {error}"]
    return []


def _ensure_pool(client: SyncPrefectClient) -> None:
    try:
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type="process", concurrency_limit=POOL_CONCURRENCY)
        )
    except ObjectAlreadyExists:
        client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=POOL_CONCURRENCY))


def lost_runs(silence: timedelta = SILENCE) -> AutomationCore:
    """A run without a heartbeat for so long is marked crashed, so that its slot is free again.

    Without it a run whose process and worker both died stays Running for ever. The next tick of the
    monitor brings a crashed run back, at most a few times.
    """
    ended = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed")}
    # a suspended run waits for a person and has no process, so no heartbeat either
    ended |= {f"prefect.flow-run.{s}" for s in ("Cancelled", "AwaitingRetry", "Suspended")}
    ended |= {f"prefect.flow-run.{name}" for name in ("Declined", "Refused")}
    return AutomationCore(
        name="autofix: a lost run is marked crashed",
        description="No heartbeat for three of its intervals.",
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.autofix"}
            ),
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *ended},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message="no heartbeat: its process or worker is gone"
            )
        ],
    )


def ensure_automation(client: SyncPrefectClient, wanted: AutomationCore) -> None:
    """The automation of this name as it is wanted, new or changed."""
    found = client.read_automations_by_name(wanted.name)
    if found:
        client.update_automation(found[0].id, wanted)
    else:
        client.create_automation(wanted)


def _load(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded


def _names(file: Path) -> list[str]:
    return [d["entrypoint"].rpartition(":")[2] for d in _load(file)["deployments"]]


if __name__ == "__main__":
    sys.exit(deploy())
