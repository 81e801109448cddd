"""From a job to a draft pull request, through the real OpenCode server and real git."""

from __future__ import annotations

import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from autofix.change.gate import GateOptions, judge
from autofix.change.github import GithubClient
from autofix.change.job import Progress, SessionLimits
from autofix.change.opencode import OpencodeClient
from autofix.change.publish import publish
from autofix.change.retry import add_turn, retry_job
from autofix.change.supervisor import supervise
from autofix.change.transfer import import_bundle
from autofix.change.workspace import Workspace, fetch_bundle, prepare_workspace
from autofix.errors import PolicyViolation
from autofix.models import SessionEnd
from sandbox.forge.app import Forge
from tests.e2e.line import COMMIT, EDIT, REPOSITORY, TOKEN, change, job, script
from tests.sandbox.serving import serve
from tests.support.opencode_server import BINARY, OpencodeServer, make_settings, serve_opencode
from tests.support.scripted_model import Call, ScriptedModel, serve_model

FAST = SessionLimits(poll=timedelta(seconds=0.5))

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(90),
    pytest.mark.skipif(not BINARY.exists(), reason="OpenCode is installed by make setup"),
]


@pytest.fixture
def forge(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text("TOTAL = 1\n")
    (tmp_path / "forge").mkdir()
    forge = Forge(tmp_path / "forge", TOKEN, lambda *_: None)
    forge.create_repository(REPOSITORY, source, "Begin")
    return forge


def _settings(server: OpencodeServer, forge_url: str):
    return make_settings(server, github_token=TOKEN, github_api_url=forge_url, github_url=forge_url)


def _prepare(client: OpencodeClient, settings, fix_id: str = "f1") -> Workspace:
    return prepare_workspace(
        client, settings, repository=REPOSITORY, fix_id=fix_id, base_branch="main"
    )


def test_job_becomes_one_draft_pull_request(tmp_path: Path, forge: Forge):
    """A supervised session's commits are judged, pushed and opened; a rerun adds nothing."""
    model = ScriptedModel(script("exit 3", EDIT, COMMIT), closing="The total is right now.")
    progress: list[Progress] = []
    with (
        serve(forge.app) as forge_url,
        serve_model(model) as model_url,
        serve_opencode(tmp_path / "home", model_url) as server,
        OpencodeClient(_settings(server, forge_url)) as client,
        GithubClient(_settings(server, forge_url)) as github,
    ):
        settings = _settings(server, forge_url)
        workspace = _prepare(client, settings)
        session = supervise(client, job(workspace), FAST, on_progress=progress.append)

        assert session.end is SessionEnd.completed, session.reason
        assert session.answer == "The total is right now."
        assert [run.exit_status for run in session.commands] == [3, 0, 0]
        assert session.commands[1].command == EDIT
        assert [todo.status for todo in session.todos] == ["completed"]
        assert session.steps == 5
        assert session.model == "scripted"
        assert session.head not in {None, session.base}
        assert progress[-1].commands == 3
        tools = {tool["function"]["name"] for tool in model.requests[0]["tools"]}
        assert not tools & {"webfetch", "task", "question", "skill"}
        assert {"bash", "edit", "read", "todowrite"} <= tools

        asked = len(model.requests)
        again = supervise(client, job(_prepare(client, settings)), FAST)
        assert again == session
        assert len(model.requests) == asked

        bundle = fetch_bundle(client, settings, workspace)
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            pull = publish(
                bundle,
                change(workspace),
                settings=settings,
                github=github,
                options=GateOptions(),
                render=lambda result: f"{len(result.files)} file",
                workdir=tmp_path / name,
            )
            assert pull.number == 1
            assert pull.labels == ("autofix",)
            assert pull.draft
            assert pull.head_commit not in {None, session.head}, "one commit of ours"
        assert len(github.find_pull_requests(REPOSITORY)) == 1


def test_killed_server_is_resumed_in_the_same_turn(tmp_path: Path, forge: Forge):
    """kill -9 of the server in mid-turn: the turn goes on and what was done is not done again."""
    model = ScriptedModel(
        script("cd billing-api && echo once >> ../trace", "sleep 5", EDIT, COMMIT)
    )
    with (
        serve(forge.app) as forge_url,
        serve_model(model) as model_url,
        serve_opencode(tmp_path / "home", model_url) as server,
        OpencodeClient(_settings(server, forge_url)) as client,
    ):
        workspace = _prepare(client, _settings(server, forge_url))
        restarted = threading.Event()

        def restart(progress: Progress) -> None:
            if progress.commands == 2 and not restarted.is_set():
                restarted.set()
                server.kill()
                server.start()
                client.wait_until_healthy()

        limits = FAST.model_copy(update={"start_grace": timedelta(seconds=3)})
        session = supervise(client, job(workspace), limits, on_progress=restart)
        trace = Path(workspace.directory, "trace").read_text()

    assert restarted.is_set()
    assert session.end is SessionEnd.completed, session.reason
    assert trace == "once\n"


def test_session_ends_at_its_limits_and_by_errors(tmp_path: Path, forge: Forge):
    """Steps, deadline, a refused key and an idle agent each end the session under their name."""
    model = ScriptedModel(script(*["true"] * 30))
    with (
        serve(forge.app) as forge_url,
        serve_model(model) as model_url,
        serve_opencode(tmp_path / "home", model_url) as server,
        OpencodeClient(_settings(server, forge_url)) as client,
    ):
        settings = _settings(server, forge_url)

        def end_of(fix_id: str, **limits: object) -> tuple[SessionEnd, str]:
            asked = job(_prepare(client, settings, fix_id))
            session = supervise(client, asked, FAST.model_copy(update=limits))
            return session.end, session.reason

        assert end_of("steps", steps=3)[0] is SessionEnd.step_limit
        model.calls = script("sleep 60")
        assert end_of("late", length=timedelta(seconds=5))[0] is SessionEnd.deadline
        asked = len(model.requests)
        assert end_of("late", length=timedelta(seconds=5))[0] is SessionEnd.deadline
        assert len(model.requests) == asked
        model.calls = ()
        assert end_of("idle")[0] is SessionEnd.nothing_to_change
        model.status = 401
        end, reason = end_of("key")
        assert end is SessionEnd.failed
        assert "401" in reason
        assert "the key is not valid" in reason


def test_denied_commit_is_not_pushed(tmp_path: Path, forge: Forge):
    """What the gate denies never reaches the forge."""
    evil = (
        "cd billing-api && mkdir -p .github/workflows && echo 'on: push' > .github/workflows/x.yml"
    )
    model = ScriptedModel(script(f"{evil} && git add -A && git commit -q -m x"))
    with (
        serve(forge.app) as forge_url,
        serve_model(model) as model_url,
        serve_opencode(tmp_path / "home", model_url) as server,
        OpencodeClient(_settings(server, forge_url)) as client,
        GithubClient(_settings(server, forge_url)) as github,
    ):
        settings = _settings(server, forge_url)
        workspace = _prepare(client, settings)
        assert supervise(client, job(workspace), FAST).end is SessionEnd.completed
        with pytest.raises(PolicyViolation, match=r"\.github/workflows/x\.yml"):
            publish(
                fetch_bundle(client, settings, workspace),
                change(workspace),
                settings=settings,
                github=github,
                options=GateOptions(),
                render=lambda _: "",
                workdir=tmp_path,
            )
        assert github.fetch_branch_head(REPOSITORY, workspace.branch) is None
    refs = subprocess.check_output(
        ["git", "-C", str(forge.git_dir(REPOSITORY)), "for-each-ref", "--format=%(refname)"]
    )
    assert refs.split() == [b"refs/heads/main"]


def test_a_denied_change_is_put_right_in_the_same_session(tmp_path: Path, forge: Forge):
    """The reasons go back once; the new commit has the denied one no longer in its history."""
    evil = "mkdir -p .github/workflows && echo 'on: push' > .github/workflows/x.yml"
    model = ScriptedModel(
        script(f"cd billing-api && echo 'TOTAL = 2' > app.py && {evil} && git add -A && "
                "git commit -q -m Both"),
        later=[[Call("bash", {"command": "sh ../back.sh", "workdir": "billing-api", "description": "x"})]],
    )  # fmt: skip
    with (
        serve(forge.app) as forge_url,
        serve_model(model) as model_url,
        serve_opencode(tmp_path / "home", model_url) as server,
        OpencodeClient(_settings(server, forge_url)) as client,
    ):
        settings = _settings(server, forge_url)
        workspace = _prepare(client, settings)
        (Path(workspace.directory) / "back.sh").write_text(
            f"git reset -q --soft {workspace.base}\ngit rm -rqf .github\ngit commit -q -m Again\n"
        )
        asked = job(workspace)
        results, sessions = [], []
        for number in range(2):
            sessions.append(supervise(client, asked, FAST))
            assert sessions[-1].end is SessionEnd.completed, sessions[-1].reason
            folder = tmp_path / str(number)
            folder.mkdir()
            bundle = fetch_bundle(client, settings, workspace)
            repository, head = import_bundle(
                bundle, change(workspace), settings=settings, workdir=folder
            )
            results.append(judge(repository, workspace.base, head, GateOptions()))
            asked = retry_job(asked, results[-1])
    assert [denial.rule for denial in results[0].denials] == ["protected"]
    assert results[1].allowed
    assert [file.path for file in results[1].files] == ["app.py"]
    both = add_turn(*sessions)
    assert len(both.commands) == 2
    assert both.steps == sessions[0].steps + sessions[1].steps
    prompt = model.requests[-1]["messages"]
    assert ".github/workflows/x.yml: The file belongs to" in str(prompt)
