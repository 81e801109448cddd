"""Autonomy `approve`: a real run is suspended with its plan, and ends as a person says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import get_client

from autofix.models import ServiceContext
from sandbox.faults import Faults
from sandbox.forge.app import Forge
from sandbox.model.app import build_app
from tests.sandbox.serving import serve
from tests.support.desk import Desk, read_turn, restart_server

pytestmark = [pytest.mark.flow, pytest.mark.timeout(180), pytest.mark.usefixtures("prefect_server")]
ROOT = Path(__file__).resolve().parents[2]
TRACEBACK = """Traceback (most recent call last):
  File "/app/app.py", line 31, in render_invoice
    rate = DISCOUNTS[customer["tier"]]
KeyError: 'trial'
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The rehearsal as planner, a forge without pull requests, and no agent at all."""
    forge = Forge(tmp_path / "forge", "forge-token-1", lambda *_: None)
    forge.create_repository("acme/billing-api", ROOT / "sandbox/services/billing-api", "Import")
    with serve(Faults(build_app(), "model")) as model, serve(forge.app) as forge_url:
        for name, value in {
            "OPENAI_BASE_URL": f"{model}/v1",
            "OPENAI_API_KEY": "rehearsal-key-1",
            "AUTOFIX_MODEL": "openai:rehearsal-scripted",
            "OPENCODE_URL": "http://127.0.0.1:9",
            "OPENCODE_SERVER_PASSWORD": "nobody-listens",
            "GITHUB_TOKEN": "forge-token-1",
            "GITHUB_API_URL": forge_url,
            "GITHUB_URL": forge_url,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("tasks.agent.HEALTH_SECONDS", 1)
        yield model


@pytest.fixture
def context(
    make_context: Callable[..., ServiceContext], request: pytest.FixtureRequest
) -> ServiceContext:
    made = make_context()
    fingerprint = hashlib.sha256(request.node.name.encode()).hexdigest()[:10]
    first = made.evidence[0].model_copy(update={"text": TRACEBACK})
    return made.model_copy(
        update={
            "incident": made.incident.model_copy(update={"fingerprint": fingerprint}),
            "evidence": (first, *made.evidence[1:]),
        }
    )


def test_a_plan_waits_in_a_form_across_a_restart_and_a_no_is_remembered(
    model: str, context: ServiceContext
) -> None:
    """Suspended, with nothing running; declined, the state says why and the monitor can read it."""
    desk, work_id = Desk(), context.incident.work_id
    run_id = desk.start(context)
    assert desk.work(run_id).name == "Suspended"
    assert read_turn(work_id).reason.startswith("its plan waits for a person's approval")
    restart_server()
    form = desk.form(run_id)
    assert "KeyError" in form["description"]
    assert "This plan may go on to an agent" in form["description"]
    assert form["schema"]["properties"]["decision"]["enum"] == ["approve", "decline"]
    assert form["schema"]["properties"]["allowed"]["default"] == ["."]
    assert desk.answer(run_id) == "REJECT", "nothing counts as approved by default"
    assert desk.answer(run_id, decision="maybe") == "REJECT"
    assert desk.answer(run_id, decision="decline", reason="We rewrite it\nnext week.") == "ACCEPT"
    state = desk.work(run_id)
    said = "a person declined the plan: We rewrite it next week."
    assert (state.name, state.message) == ("Declined", said)
    assert read_turn(work_id).declined == "We rewrite it next week."
    counts = httpx.get(f"{model}/_sandbox/requests").json()["requests"]
    assert sum(n for what, n in counts.items() if what.startswith("POST")) == 1, "one plan"


@pytest.mark.usefixtures("model")
def test_an_approved_run_goes_on_to_the_agent_within_what_was_allowed(
    context: ServiceContext,
) -> None:
    """A folder outside is asked about again; approved, the run goes on to the agent's server."""
    desk = Desk()
    run_id = desk.start(context)
    assert desk.work(run_id).name == "Suspended"
    assert desk.answer(run_id, decision="approve", allowed=["../secrets"]) == "ACCEPT"
    assert desk.work(run_id).name == "Suspended"
    assert "`../secrets` is not below the root" in desk.form(run_id)["description"]
    assert desk.answer(run_id, decision="approve", allowed=["app.py"]) == "ACCEPT"
    state = desk.work(run_id)
    assert state.is_failed()
    assert "OpenCode" in str(state.message), "there is no agent in this test"
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run_id).labels["autofix.allowed"] == '["app.py"]'
