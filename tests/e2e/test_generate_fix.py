"""generate_fix as a flow, with a real OpenCode server, a real forge, and the scripted rehearsal."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.states import State

from autofix.models import ServiceContext
from autofix.parameters import Autonomy, Caps
from flows.generate_fix import generate_fix
from sandbox.faults import Faults
from sandbox.forge.app import Forge
from sandbox.model.app import build_app
from tasks.artifacts import artifact_key
from tasks.fix import prepare_fix
from tests.sandbox.serving import serve
from tests.support.opencode_server import BINARY, PASSWORD, OpencodeServer, serve_opencode

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.flow,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.skipif(not BINARY.exists(), reason="OpenCode is installed by make setup"),
]

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "acme/billing-api"
TOKEN = "forge-token-1"
SERVICE = ROOT / "sandbox/services/billing-api"


def _traceback() -> str:
    """What the service itself prints when it meets its fault."""
    code = "import app\nfor number in range(1, 600):\n    app.answer(f'/invoices/{number}')\n"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=SERVICE, capture_output=True, text=True, check=False
    )
    assert "KeyError" in done.stderr
    return done.stderr


@dataclass
class Sides:
    """The other sides, and what was asked of them."""

    model: str
    forge: str
    opencode: OpencodeServer
    before: frozenset[str] = frozenset()
    """Sessions of the tests before this one."""

    def model_calls(self) -> int:
        counts: dict[str, int] = httpx.get(f"{self.model}/_sandbox/requests").json()["requests"]
        return sum(n for what, n in counts.items() if what.startswith("POST"))

    def pull_requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(
            f"{self.forge}/repos/{REPOSITORY}/pulls", params={"state": "all"}
        ).json()
        return found

    def branches(self) -> list[str]:
        found = httpx.get(f"{self.forge}/repos/{REPOSITORY}/git/matching-refs/heads/").json()
        return [ref["ref"].removeprefix("refs/heads/") for ref in found]

    def find_sessions(self) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.opencode.url}/experimental/session", auth=("opencode", PASSWORD))
        return [session for session in answer.json() if session["id"] not in self.before]

    def sessions(self) -> int:
        return len(self.find_sessions())

    def lead_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The settings that lead to these sides."""
        for name, value in {
            "OPENAI_BASE_URL": f"{self.model}/v1",
            "OPENAI_API_KEY": "rehearsal-key-1",
            "AUTOFIX_MODEL": "openai:rehearsal-scripted",
            "OPENCODE_URL": self.opencode.url,
            "OPENCODE_SERVER_PASSWORD": PASSWORD,
            "OPENCODE_WORKSPACE": str(self.opencode.workspace),
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": self.forge,
            "GITHUB_URL": self.forge,
        }.items():
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """One model and one agent for all tests."""
    with (
        serve(Faults(build_app(), "model")) as model,
        serve_opencode(tmp_path_factory.mktemp("agent"), f"{model}/v1") as opencode,
    ):
        yield Sides(model, "", opencode)


@pytest.fixture
def sides(shared: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sides]:
    """A forge of each test's own, and nothing that was asked before."""
    forge = Forge(tmp_path / "forge", TOKEN, lambda *_: None)
    forge.create_repository(REPOSITORY, SERVICE, "Import")
    httpx.delete(f"{shared.model}/_sandbox/requests").raise_for_status()
    before = frozenset(session["id"] for session in shared.find_sessions())
    with serve(forge.app) as forge_url:
        sides = replace(shared, forge=forge_url, before=before)
        sides.lead_to(monkeypatch)
        yield sides


@pytest.fixture
def context(
    make_context: Callable[..., ServiceContext], request: pytest.FixtureRequest
) -> ServiceContext:
    """An incident of each test's own: results of another test's fix would be found again."""
    made = make_context()
    fingerprint = hashlib.sha256(request.node.name.encode()).hexdigest()[:10]
    incident = made.incident.model_copy(update={"fingerprint": fingerprint})
    first = made.evidence[0].model_copy(update={"text": _traceback()})
    evidence = (first, *made.evidence[1:])
    return made.model_copy(update={"incident": incident, "evidence": evidence})


def _run(context: ServiceContext, autonomy: Autonomy, caps: Caps = Caps()) -> State[Any]:
    return generate_fix(
        REPOSITORY, [context], "What runs.", autonomy=autonomy, caps=caps, return_state=True
    )


def test_each_level_of_autonomy_stops_where_it_says_and_a_rerun_does_nothing_twice(
    sides: Sides, context: ServiceContext
) -> None:
    """report: no model call. plan: one, no session. pull_request: one draft; again: nothing new."""
    state = _run(context, Autonomy.report)
    assert state.is_completed()
    assert sides.model_calls() == 0

    state = _run(context, Autonomy.plan)
    assert state.is_completed(), state
    assert (sides.model_calls(), sides.sessions()) == (1, 0)

    state = _run(context, Autonomy.pull_request)
    assert state.is_completed(), state
    pulls = sides.pull_requests()
    assert [(p["draft"], p["state"]) for p in pulls] == [(True, "open")]
    assert pulls[0]["html_url"] in str(state.message)
    assert "KeyError" in pulls[0]["body"]
    assert "rehearsal" in pulls[0]["body"]
    calls, sessions = sides.model_calls(), sides.sessions()
    assert sessions > 0

    state = _run(context, Autonomy.pull_request)
    assert state.is_completed(), state
    assert "pull request #1" in str(state.message)
    assert (sides.model_calls(), sides.sessions()) == (calls, sessions)
    assert len(sides.pull_requests()) == 1


def test_an_agent_that_cannot_be_reached_fails_the_run_with_that_reason(
    sides: Sides, context: ServiceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is failed, and its message names OpenCode; the plan is kept for whoever goes on."""
    monkeypatch.setenv("OPENCODE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("tasks.agent.HEALTH_SECONDS", 1)
    state = _run(context, Autonomy.pull_request)
    assert state.is_failed()
    assert "OpenCode" in str(state.message)
    assert sides.pull_requests() == []
    assert sides.model_calls() == 1
    monkeypatch.setenv("OPENCODE_URL", sides.opencode.url)
    assert _run(context, Autonomy.plan).is_completed()
    assert sides.model_calls() == 1


def test_a_forge_that_cannot_be_asked_starts_nothing(
    sides: Sides, context: ServiceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub cannot be asked: no model call, and the run says why."""
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
    state = _run(context, Autonomy.pull_request)
    assert state.is_failed()
    assert "GitHub" in str(state.message)
    assert sides.model_calls() == 0


def test_a_model_that_cannot_be_reached_fails_the_run_with_that_reason(
    sides: Sides, context: ServiceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again with a back-off, then failed; no session was made."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    state = _run(context, Autonomy.pull_request)
    assert state.is_failed()
    assert "ModelError" in str(state.message)
    assert sides.sessions() == 0


def test_a_change_that_is_denied_twice_is_refused_and_kept(
    sides: Sides, context: ServiceContext
) -> None:
    """The reasons go back once; then the run ends as refused, with patch and reasons, and no trace."""
    state = _run(context, Autonomy.pull_request, Caps(patch_lines=1))
    assert (state.is_completed(), state.name) == (True, "Refused"), state
    assert "lines" in str(state.message)
    key = artifact_key(f"change-{prepare_fix(REPOSITORY, [context]).fix_id}")
    with get_client(sync_client=True) as client:
        by_key = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        (kept,) = client.read_artifacts(artifact_filter=by_key)
    text = str(kept.data)
    assert "## Why it was denied" in text
    assert "`size`" in text
    assert "+def " in text or "+    " in text, "the patch is kept"
    asked = sides.find_sessions()
    (session,) = [one["id"] for one in asked if not one["title"].startswith("workspace")]
    messages = httpx.get(
        f"{sides.opencode.url}/session/{session}/message", auth=("opencode", PASSWORD)
    ).json()
    prompts = [m["parts"][0]["text"] for m in messages if m["info"]["role"] == "user"]
    assert len(prompts) == 2, "sent back once, to the same session"
    assert "cannot be published as they are" in prompts[1]
    assert sides.pull_requests() == []
    assert sides.branches() == ["main"]


def test_what_the_agent_opened_itself_is_adopted(
    sides: Sides, context: ServiceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing pushed is said so; what it pushed and opened is judged and gets our text, once."""
    monkeypatch.setenv("AUTOFIX_PUBLISHER", "agent")
    state = _run(context, Autonomy.pull_request)
    assert state.is_completed(), state
    assert "the agent pushed nothing" in str(state.message)
    calls = sides.model_calls()

    fix = prepare_fix(REPOSITORY, [context])
    clone = sides.opencode.workspace / fix.fix_id / "billing-api"
    url = sides.forge.replace("://", f"://x-access-token:{TOKEN}@")
    push = ["git", "-C", str(clone), "push", "-q", f"{url}/{REPOSITORY}.git", "HEAD"]
    subprocess.run(push, check=True)
    content = {"title": "Mine", "head": fix.branch, "base": "main", "draft": True}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    opened = httpx.post(f"{sides.forge}/repos/{REPOSITORY}/pulls", json=content, headers=headers)
    assert opened.status_code == 201

    for _ in range(2):
        state = _run(context, Autonomy.pull_request)
        assert state.is_completed(), state
        (pull,) = sides.pull_requests()
        assert pull["html_url"] in str(state.message) or "#1" in str(state.message)
        assert "## Decisive evidence" in pull["body"]
        assert [label["name"] for label in pull["labels"]] == ["autofix"]
    assert sides.model_calls() == calls, "neither plan nor session was made again"
