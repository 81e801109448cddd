"""The agent's workspace: a clean folder per fix on the OpenCode server with a full clone below it.

The session runs in the folder above the clone, which is no git repository: plugins and
configuration that a repository brings along would otherwise run inside the server.
"""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

from autofix.change.ids import branch_name, session_id
from autofix.change.opencode import OpencodeClient
from autofix.errors import OpencodeError
from autofix.models import Model
from autofix.redact import cut
from autofix.settings import Settings

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BUNDLE = "autofix.bundle"
_CLONE_TIMEOUT = 600.0


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


def prepare_workspace(
    client: OpencodeClient,
    settings: Settings,
    *,
    repository: str,
    fix_id: str,
    base_branch: str,
) -> Workspace:
    """A clone with the fix's branch checked out. Safe to call again.

    The base commit is recorded with the utility session at the first call and kept from then on,
    so that a resumed fix goes on from where it began although its branch has moved. A clone that
    is there is kept; it is set back to the base only when the fixing session is gone or never was.
    """
    root = PurePosixPath(settings.opencode_workspace)
    directory = str(root / fix_id)
    utility = _Utility(client, fix_id)
    recorded = utility.recorded_base()
    clone = clone_name(repository)
    script = _prepare_script(
        url=f"{settings.github_url.rstrip('/')}/{repository}.git",
        target=str(root / fix_id / clone),
        branch=branch_name(repository, fix_id),
        start=recorded or f"refs/remotes/origin/{base_branch}",
        fresh=client.find_session(session_id(fix_id)) is None,
    )
    base = utility.run(script, "the clone could not be made", _CLONE_TIMEOUT).rsplit("\n", 1)[-1]
    if not _COMMIT.fullmatch(base):
        raise OpencodeError("the clone could not be made: no base commit was reported")
    if recorded is None:
        utility.record_base(base)
    return Workspace(
        fix_id=fix_id,
        repository=repository,
        directory=directory,
        clone=clone,
        branch=branch_name(repository, fix_id),
        base=recorded or base,
    )


def fetch_head(client: OpencodeClient, workspace: Workspace) -> str | None:
    """Newest commit of the fix's branch; None when it is still the base."""
    head = _Utility(client, workspace.fix_id).run(
        f"git -C {_target(workspace)} rev-parse --verify --quiet "
        f"{shlex.quote(f'refs/heads/{workspace.branch}^{{commit}}')}",
        "the agent's branch is gone",
    )
    if not _COMMIT.fullmatch(head):
        raise OpencodeError("the agent's branch could not be read")
    return None if head == workspace.base else head


def fetch_bundle(client: OpencodeClient, settings: Settings, workspace: Workspace) -> bytes:
    """The commits ``base..branch`` as a git bundle."""
    bundle = f"{workspace.directory}/{_BUNDLE}"
    branch = shlex.quote(f"refs/heads/{workspace.branch}")
    _Utility(client, workspace.fix_id).run(
        f"git -C {_target(workspace)} bundle create --quiet {shlex.quote(bundle)} "
        f"{branch} {shlex.quote('^' + workspace.base)}",
        "the commits could not be bundled",
    )
    return client.fetch_file(settings.opencode_workspace, f"{workspace.fix_id}/{_BUNDLE}")


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


def _target(workspace: Workspace) -> str:
    return shlex.quote(f"{workspace.directory}/{workspace.clone}")


def _prepare_script(*, url: str, target: str, branch: str, start: str, fresh: bool) -> str:
    values = {"url": url, "target": target, "branch": branch, "start": start}
    assigned = "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    return f"{assigned}\nfresh={int(fresh)}\n{_PREPARE}"


# The clone is made aside and moved in whole, so a folder with the right name is a whole clone.
_PREPARE = """\
set -eu
export GIT_TERMINAL_PROMPT=0
if ! git -C "$target" rev-parse --quiet --verify "$start^{commit}" >/dev/null 2>&1 ||
   ! git -C "$target" rev-parse --quiet --verify "refs/heads/$branch" >/dev/null 2>&1; then
  rm -rf "$target" "$target.part"
  mkdir -p "$(dirname "$target")"
  git clone --quiet --no-tags "$url" "$target.part"
  git -C "$target.part" checkout --quiet --no-track -B "$branch" "$start"
  git -C "$target.part" config user.name 'railway-autofix agent'
  git -C "$target.part" config user.email 'agent@railway-autofix.invalid'
  mv "$target.part" "$target"
elif [ "$fresh" = 1 ]; then
  git -C "$target" checkout --quiet --force -B "$branch" "$start"
  git -C "$target" clean -ffdxq
fi
git -C "$target" rev-parse "$start^{commit}"
"""
