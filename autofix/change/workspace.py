"""The agent's workspace: a clean folder per fix on the OpenCode server with a full clone below it.

The session runs in the folder above the clone, which is no git repository: plugins and
configuration that a repository brings along would otherwise run inside the server. What such
files say to agents is not even checked out.
"""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from importlib.resources import files
from pathlib import PurePosixPath

from autofix.change.ids import branch_name, session_id
from autofix.change.opencode import OpencodeClient
from autofix.errors import OpencodeError
from autofix.models import Model
from autofix.redact import cut
from autofix.settings import Settings

KEPT = timedelta(days=3)
"""How long the folder of a fix that failed stays, for people to look at."""
_SCRIPTS = files("autofix.change").joinpath("scripts")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BUNDLE = "autofix.bundle"
_CLONE_TIMEOUT = 600.0
_NO_LOGIN = re.compile(r"could not read Username|Authentication failed|Repository not found")


class Workspace(Model):
    """Where a fix is worked on, all of it on the OpenCode server."""

    fix_id: str
    repository: str
    directory: str
    """The session's folder."""
    clone: str
    """Name of the clone below it."""
    branch: str
    base: str
    """Commit the branch began at."""

    @property
    def target(self) -> str:
        """The clone's folder."""
        return f"{self.directory}/{self.clone}"


def prepare_workspace(
    client: OpencodeClient,
    settings: Settings,
    *,
    repository: str,
    fix_id: str,
    base_branch: str,
    base: str | None = None,
) -> Workspace:
    """A clone with the fix's branch checked out. Safe to call again.

    The base commit is recorded with the utility session at the first call and kept from then on,
    so that a resumed fix goes on from where it began although its branch has moved. A clone that
    is there is kept; it is set back to the base only when the fixing session is gone or never was.
    What an earlier run of the agent left running is ended, unless its session is at work.

    Args:
        client: of the server.
        settings: the forge's address and the server's folder for clones.
        repository: ``owner/name``.
        fix_id: names the folder, the branch and the sessions.
        base_branch: the deployed branch.
        base: commit it began at, where the caller remembers one; the server may have forgotten.
    """
    root = PurePosixPath(settings.opencode_workspace)
    utility = _Utility(client, fix_id)
    begun = client.find_session(session_id(fix_id)) is not None
    known = base or utility.recorded_base()
    workspace = Workspace(
        fix_id=fix_id,
        repository=repository,
        directory=str(root / fix_id),
        clone=clone_name(repository),
        branch=branch_name(repository, fix_id),
        base=known or "",
    )
    if begun and not client.fetch_status(workspace.directory):
        end_processes(client, workspace)
    found = _clone(utility, settings, workspace, base_branch=base_branch, fresh=not begun)
    if utility.recorded_base() is None:
        utility.record_base(known or found)
    return workspace.model_copy(update={"base": known or found})


def _clone(
    utility: _Utility, settings: Settings, workspace: Workspace, *, base_branch: str, fresh: bool
) -> str:
    """Make the clone or find it; the commit it starts at."""
    script = _script(
        "prepare.sh",
        root=settings.opencode_workspace,
        directory=workspace.directory,
        target=workspace.target,
        url=f"{settings.github_url.rstrip('/')}/{workspace.repository}.git",
        branch=workspace.branch,
        start=workspace.base or f"refs/remotes/origin/{base_branch}",
        fresh=str(int(fresh)),
        kept_days=str(KEPT.days),
    )
    try:
        out = utility.run(script, "the clone could not be made", _CLONE_TIMEOUT)
    except OpencodeError as error:
        if _NO_LOGIN.search(str(error)):
            hint = "a private repository needs GH_TOKEN with read access on the agent's server"
            raise OpencodeError(f"{str(error).partition(': ')[2]} ({hint})") from error
        raise
    found = out.rsplit("\n", 1)[-1]
    if not _COMMIT.fullmatch(found):
        raise OpencodeError("the clone could not be made: no base commit was reported")
    return found


def fetch_head(client: OpencodeClient, workspace: Workspace) -> str | None:
    """Newest commit of the fix's branch; None when it is still the base."""
    script = _script("head.sh", target=workspace.target, branch=workspace.branch)
    head = _Utility(client, workspace.fix_id).run(script, "the agent's branch is gone")
    if not _COMMIT.fullmatch(head):
        raise OpencodeError("the agent's branch could not be read")
    return None if head == workspace.base else head


def fetch_bundle(client: OpencodeClient, settings: Settings, workspace: Workspace) -> bytes:
    """The commits ``base..branch`` as a git bundle."""
    script = _script(
        "bundle.sh",
        target=workspace.target,
        branch=workspace.branch,
        base=workspace.base,
        bundle=f"{workspace.directory}/{_BUNDLE}",
    )
    _Utility(client, workspace.fix_id).run(script, "the commits could not be bundled")
    return client.fetch_file(settings.opencode_workspace, f"{workspace.fix_id}/{_BUNDLE}")


def end_processes(client: OpencodeClient, workspace: Workspace) -> int:
    """End what runs in the fix's folder, or was started there; how many processes there were."""
    script = _script("end_processes.sh", directory=workspace.directory)
    out = _Utility(client, workspace.fix_id).run(script, "the agent's processes could not be ended")
    return int(out) if out.isdecimal() else 0


def measure_disk(client: OpencodeClient, workspace: Workspace) -> int:
    """Megabytes that the fix's folder takes."""
    script = _script("disk.sh", directory=workspace.directory)
    out = _Utility(client, workspace.fix_id).run(script, "the agent's folder could not be measured")
    return int(out) if out.isdecimal() else 0


def remove_workspace(client: OpencodeClient, workspace: Workspace) -> None:
    """End what still runs in it, and delete the fix's folder."""
    end_processes(client, workspace)
    script = _script("remove.sh", directory=workspace.directory)
    _Utility(client, workspace.fix_id).run(script, "the agent's folder could not be removed")


def clone_name(repository: str) -> str:
    """A plain folder name for the clone, never a hidden one."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", repository.rpartition("/")[2]).strip("-")
    return name or "repository"


class _Utility:
    """The session beside the fixing one, for commands of ours; it also remembers the base."""

    def __init__(self, client: OpencodeClient, fix_id: str) -> None:
        self._client = client
        self._fix_id = fix_id
        self._id = session_id(fix_id, "utility")
        self._directory = client.fetch_own_directory()
        self._base: str | None = None

    def recorded_base(self) -> str | None:
        """The base commit of an earlier call."""
        session = self._client.find_session(self._id)
        base = session.metadata.get("base") if session else None
        self._base = base if isinstance(base, str) and _COMMIT.fullmatch(base) else None
        return self._base

    def record_base(self, base: str) -> None:
        """Keep the base commit on the server."""
        self._base = base
        self._ensure()

    def run(self, command: str, complaint: str, timeout: float = 120.0) -> str:
        """What the command printed; OpencodeError with the complaint when it failed."""
        if self._client.find_session(self._id) is None:
            self._ensure()
        result = self._client.shell(self._id, self._directory, command, timeout=timeout)
        output = result.output.strip()
        if result.exit_status:
            raise OpencodeError(f"{complaint}: {cut(output.rsplit(chr(10), 1)[-1], 300)}")
        return output

    def _ensure(self) -> None:
        self._client.ensure_session(
            self._id,
            self._directory,
            title=f"workspace of fix {self._fix_id}",
            metadata={"fix": self._fix_id, **({"base": self._base} if self._base else {})},
        )


def _script(name: str, **values: str) -> str:
    """A script of ours with its variables set in front of it."""
    assigned = "\n".join(f"{key}={shlex.quote(value)}" for key, value in values.items())
    return f"{assigned}\n{_SCRIPTS.joinpath(name).read_text(encoding='utf-8')}"
