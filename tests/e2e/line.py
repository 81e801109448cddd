"""The real OpenCode server, a scripted model, and a real forge, for tests of one session."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from autofix.change.gate import GateOptions, judge
from autofix.change.ids import branch_name
from autofix.change.job import FixJob, Progress, SessionLimits
from autofix.change.opencode import OpencodeClient
from autofix.change.supervisor import supervise
from autofix.change.transfer import Change, import_bundle
from autofix.change.workspace import Workspace, fetch_bundle, prepare_workspace
from autofix.models import GateResult, SessionResult
from autofix.settings import Settings
from sandbox.forge.app import Forge
from tests.sandbox.serving import serve
from tests.support.opencode_server import OpencodeServer, make_settings, serve_opencode
from tests.support.scripted_model import Call, ScriptedModel, serve_model

REPOSITORY = "acme/billing-api"
TOKEN = "forge-token"
FAST = SessionLimits(poll=timedelta(seconds=0.5), start_grace=timedelta(seconds=15))
TODOS = [{"content": "Return the total", "status": "completed", "priority": "high"}]
EDIT = "cd billing-api && echo 'TOTAL = 2' > app.py && cat app.py"
COMMIT = "cd billing-api && git add -A && git commit -q -m 'Return the total'"


def shell(*commands: str) -> list[Call]:
    """The agent runs these commands, one a step."""
    return [Call("bash", {"command": command, "description": "work"}) for command in commands]


def script(*commands: str) -> list[Call]:
    """A todo list first, then the commands."""
    return [Call("todowrite", {"todos": TODOS}), *shell(*commands)]


@dataclass
class Line:
    """Everything that runs, and what a test does with it."""

    root: Path
    forge: Forge
    forge_url: str
    model: ScriptedModel
    server: OpencodeServer
    settings: Settings
    client: OpencodeClient
    repository: str = REPOSITORY
    told: list[Progress] = field(default_factory=list)

    def begin(
        self, name: str, calls: Sequence[Call] = (), files: dict[str, str] | None = None
    ) -> None:
        """Another test on the same server: a repository of its own, and a script of its own."""
        self.repository = f"{name}/billing-api"
        self.forge.create_repository(
            self.repository,
            _write(self.root / name, {"app.py": "TOTAL = 1\n", **(files or {})}),
            "Begin",
        )
        self.model.calls = calls
        self.model.faults.clear()
        self.model.requests.clear()
        self.told.clear()

    def prepare(self, fix_id: str = "f1", **fields: Any) -> Workspace:
        """A workspace on the server."""
        return prepare_workspace(
            self.client,
            self.settings,
            repository=fields.pop("repository", self.repository),
            fix_id=fix_id,
            base_branch="main",
            **fields,
        )

    def work(
        self,
        workspace: Workspace,
        limits: SessionLimits = FAST,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> SessionResult:
        """One session to its end."""

        def tell(progress: Progress) -> None:
            self.told.append(progress)
            if on_progress is not None:
                on_progress(progress)

        return supervise(self.client, job(workspace), limits, on_progress=tell)

    def judge(self, workspace: Workspace) -> GateResult:
        """What the gate says of what the agent committed."""
        folder = Path(tempfile.mkdtemp(prefix="judge-", dir=self.root))
        repository, head = import_bundle(
            fetch_bundle(self.client, self.settings, workspace),
            change(workspace),
            settings=self.settings,
            workdir=folder,
        )
        return judge(repository, workspace.base, head, GateOptions())

    def push_to_main(self, files: dict[str, str]) -> str:
        """Somebody else's commit on the deployed branch."""
        clone = Path(tempfile.mkdtemp(prefix="somebody-", dir=self.root))
        source = self.forge.git_dir(self.repository)
        git = ["git", "-c", "user.name=S", "-c", "user.email=s@example.test"]
        subprocess.run([*git, "clone", "-q", str(source), str(clone)], check=True)
        _write(clone, files)
        for command in (["add", "-A"], ["commit", "-q", "-m", "Else"], ["push", "-q"]):
            subprocess.run([*git, "-C", str(clone), *command], check=True)
        out = subprocess.check_output([*git, "-C", str(clone), "rev-parse", "HEAD"], text=True)
        return out.strip()


def job(workspace: Workspace) -> FixJob:
    """What the agent is asked."""
    return FixJob(workspace=workspace, title="Repair", prompt="Repair it.", work_ids=("a-e1-a1",))


def change(workspace: Workspace) -> Change:
    """What would be published."""
    return Change(
        repository=workspace.repository,
        base_branch="main",
        branch=branch_name(workspace.repository, workspace.fix_id),
        base=workspace.base,
        title="Return the total",
    )


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@contextmanager
def serve_line(
    root: Path,
    calls: Sequence[Call],
    *,
    configure: Callable[[dict[str, Any]], None] | None = None,
    **environment: str,
) -> Iterator[Line]:
    """The whole line for one test or for several, and nothing of it afterwards."""
    source = _write(root / "source", {"app.py": "TOTAL = 1\n"})
    (root / "forge").mkdir()
    forge = Forge(root / "forge", TOKEN, lambda *_: None)
    forge.create_repository(REPOSITORY, source, "Begin")
    model = ScriptedModel(calls)
    with (
        serve(forge.app) as forge_url,
        serve_model(model) as model_url,
        serve_opencode(root / "home", model_url, configure, **environment) as server,
    ):
        settings = make_settings(
            server, github_token=TOKEN, github_api_url=forge_url, github_url=forge_url
        )
        with OpencodeClient(settings) as client:
            yield Line(root, forge, forge_url, model, server, settings, client)
