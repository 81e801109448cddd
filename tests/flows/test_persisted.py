"""What is kept between runs: redacted, readable by its owner only, and found again by what it is about."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.results import ResultRecord
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH

from autofix.models import Incident, Window
from flows.monitor_project_health import monitor_project_health
from flows.pull_service_context import pull_service_context
from tests.support.railway_server import serve_railway
from tests.support.redaction import made
from tests.unit.observe.railway_app import RailwayApp, deployment, instance

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]
RNG = Random(11)
STRIPE, GITHUB, JWT = (made.TOKENS[k](RNG) for k in ("stripe", "github classic", "jwt"))
RAILWAY_TOKEN = "c0ffee00-1234-4abc-8def-00c0ffee0001"
MAIL = "jane.roe@customers.example"
PLANTED = (STRIPE, GITHUB, JWT, RAILWAY_TOKEN, MAIL)
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[RailwayApp]:
    """A service whose name, commit, logs and requests all hold what must not be kept."""
    meta = {
        "repo": "acme/api",
        "branch": "main",
        "commitHash": "a" * 40,
        "commitMessage": f"Rotate {GITHUB}",
    }
    running = deployment("api", meta=meta)
    app = RailwayApp(instance("api", latestDeployment=running, activeDeployments=[running]))
    at = (NOW - timedelta(minutes=5)).isoformat()
    line = {"severity": "error", "attributes": [], "tags": {"deploymentInstanceId": "i"}}
    app.logs["d-api"] = [
        line | {"timestamp": at, "message": f"charge failed: key {STRIPE} of {MAIL}"},
        line | {"timestamp": at, "message": f"authorization: Bearer {JWT}"},
    ]
    app.logs["http d-api"] = [
        {
            "timestamp": at, "requestId": "r1", "method": "GET", "httpStatus": 500,
            "path": f"/reset?token={STRIPE}&mail={MAIL}", "totalDuration": 12,
            "upstreamRqDuration": 11, "responseDetails": f"upstream said {RAILWAY_TOKEN}",
        }
    ]  # fmt: skip
    app.history["api"] = [running]
    start = int(NOW.timestamp()) - 1800
    points = [{"ts": start + 60 * i, "value": 0.1} for i in range(30)]
    app.metrics = [{"measurement": "CPU_USAGE", "tags": {"serviceId": "api"}, "values": points}]
    with serve_railway(app) as url:
        for name, value in {
            "RAILWAY_API_URL": url,
            "RAILWAY_TOKEN": RAILWAY_TOKEN,
            "RAILWAY_PROJECT_ID": "p1",
            "RAILWAY_ENVIRONMENT_ID": "env-persisted",
            "GITHUB_TOKEN": GITHUB,
            "GITHUB_API_URL": "http://127.0.0.1:9",
        }.items():
            monkeypatch.setenv(name, value)
        yield app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = PREFECT_LOCAL_STORAGE_PATH.value()
    assert found is not None
    return Path(found)


def _kept(folder: Path, before: set[Path]) -> dict[Path, bytes]:
    """What new results hold, whatever they are packed in."""
    new = set(folder.iterdir()) - before
    return {f: pickle.dumps(ResultRecord.deserialize(f.read_bytes()).result) for f in new}


def _names(folder: Path) -> set[Path]:
    return set(folder.iterdir()) if folder.is_dir() else set()


def test_results_artifacts_and_logs_hold_no_secret_and_belong_to_their_owner(
    app: RailwayApp, folder: Path, make_context: Callable[..., Any]
) -> None:
    """A look and the pulling of a context, of a project that leaks wherever it can."""
    before = _names(folder)
    state = monitor_project_health(now=NOW, return_state=True)
    assert state.is_completed(), state
    incident = _incident(make_context)
    pulled = pull_service_context(
        incidents=[incident], step_seconds=60, autonomy="report", return_state=True
    )
    assert pulled.is_completed(), pulled
    kept = _kept(folder, before)
    about = {file.name.split("-")[0] for file in kept}
    assert about >= {"observe", "baseline", "detect", "scene", "context"}
    everything = b"\n".join(kept.values())
    assert b"charge failed" in everything, "the evidence itself is kept"
    assert [secret for secret in PLANTED if secret.encode() in everything] == []
    assert {file.stat().st_mode & 0o077 for file in kept} == {0}

    shown = _shown(state, pulled)
    assert "charge failed" in shown
    assert [secret for secret in PLANTED if secret in shown] == []


def test_whoever_asks_again_gets_what_is_kept_and_is_told_nothing_new(
    app: RailwayApp, folder: Path, make_context: Callable[..., Any]
) -> None:
    """Another run about the same thing reads nothing again; about something else it does."""
    incident = _incident(make_context, minutes=10)
    first = pull_service_context(
        incidents=[incident], step_seconds=60, autonomy="report", return_state=True
    )
    asked = len(app.requests)
    before = _names(folder)
    again = pull_service_context(
        incidents=[incident], step_seconds=60, autonomy="report", return_state=True
    )
    assert (first.message, again.message) == ("1 code_fix", "1 code_fix")
    assert app.names()[asked:] == ["Architecture"], "what runs is read anew, the evidence is not"
    assert {f for f in _names(folder) - before if f.name.startswith("context-")} == set()
    other = _incident(make_context, minutes=20)
    pull_service_context(incidents=[other], step_seconds=60, autonomy="report", return_state=True)
    assert "DeploymentLog" in app.names()[asked + 1 :]


def _incident(make_context: Callable[..., Any], minutes: int = 0) -> Incident:
    made_: Incident = make_context("api").incident
    service = made_.service.model_copy(
        update={"id": "api", "deployment": made_.service.deployment.model_copy(
            update={"id": "d-api", "service_id": "api"})}
    )  # fmt: skip
    window = Window.ending(NOW - timedelta(minutes=minutes), timedelta(minutes=30))
    finding = made_.findings[0].model_copy(update={"service_id": "api", "ts": window.end})
    return made_.model_copy(
        update={
            "service": service,
            "findings": (finding,),
            "window": window,
            "onset": window.start + timedelta(minutes=2),
        }
    )


def _shown(*states: Any) -> str:
    """Artifacts of the runs, what they logged, and their parameters."""
    runs = [state.state_details.flow_run_id for state in states]
    with get_client(sync_client=True) as client:
        artifacts = client.request("POST", "/artifacts/filter", json={"limit": 200}).json()
        logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=runs)))
        parameters = [client.read_flow_run(run).parameters for run in runs]
    own = [str(a["data"]) for a in artifacts if a["flow_run_id"] in map(str, runs)]
    return "\n".join([*own, *(log.message for log in logs), str(parameters)])
