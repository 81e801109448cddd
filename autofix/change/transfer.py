"""From the agent's bundle to one commit of ours on the forge.

What is published is a single commit on the base: the tree that was judged, with our author, our
date and our message. The agent's own commits stay behind.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from autofix.change.git import FSCK, protocol_of, run_git, token_config
from autofix.change.github import GithubClient
from autofix.errors import GitError
from autofix.models import Model
from autofix.settings import Settings

AUTHOR_NAME = "railway-autofix"
AUTHOR_EMAIL = "agent@railway-autofix.invalid"
"""Who every commit of ours is by; whatever else is on a branch is somebody else's."""
BUNDLE_CAP = 50 << 20
"""Bytes of a bundle that are looked at."""
_REFUSALS = (
    (r"archived|read-only", "{change.repository} takes no writes: unarchive it, or exclude its services"),
    (r"error: 401|Authentication failed|could not read Username",
     "GITHUB_TOKEN is wrong or has expired: create a new one"),
    (r"error: 403|Permission to \S+ denied|not granted",
     "GITHUB_TOKEN lacks a permission in {change.repository}: contents: write"),
    (r"protected branch|GH006|GH013|rule violation|hook declined",
     "the rules of {change.repository} do not allow branch {change.branch}: let the token push autofix/*"),
    (r"not found|error: 404", "{change.repository} was not found, or GITHUB_TOKEN may not see it"),
)  # fmt: skip
"""What a forge says to a push, and what a person can do about it; the first that fits counts."""
_IMPORTED = "refs/autofix/head"
_BIG_FILE = {"core.bigFileThreshold": "1m"}
"""Bigger objects are streamed to disk and never held in memory."""


class PushRefusedError(GitError):
    """The forge does not take the push; it stays so until a person changes something."""


class Change(Model):
    """What is published, and where to."""

    repository: str
    """``owner/name``."""
    base_branch: str
    """The branch the pull request asks to be merged into."""
    branch: str
    """The fix's own branch."""
    base: str
    """Commit the work began at."""
    title: str
    message: str = ""
    """Of the published commit; the title when empty."""


def import_bundle(
    bundle: bytes, change: Change, *, settings: Settings, workdir: Path
) -> tuple[Path, str]:
    """A bare clone of the repository with the bundle's commits in it, and the newest of them.

    The base was reported from where the agent works, so it has to be on the deployed branch of
    the forge's own repository.
    """
    if len(bundle) > BUNDLE_CAP:
        raise GitError(f"the agent's commits take {len(bundle)} bytes, more than {BUNDLE_CAP}")
    repository = _clone_base(change, settings, workdir)
    file = workdir / "change.bundle"
    file.write_bytes(bundle)
    return repository, _fetch(repository, change, str(file), {}, ("file",))


def fetch_branch(change: Change, *, settings: Settings, workdir: Path) -> tuple[Path, str]:
    """As `import_bundle`, with the branch as it stands on the forge."""
    repository = _clone_base(change, settings, workdir)
    url = clone_url(settings, change.repository)
    token = token_config(settings.github_url, settings.github_token)
    return repository, _fetch(repository, change, url, token, protocol_of(url))


def _clone_base(change: Change, settings: Settings, workdir: Path) -> Path:
    url = clone_url(settings, change.repository)
    repository = workdir / "repository.git"
    shutil.rmtree(repository, ignore_errors=True)
    run_git(
        "clone", "--quiet", "--bare", "--no-tags", "--single-branch",
        "--branch", change.base_branch, "--", url, str(repository),
        cwd=workdir,
        config=token_config(settings.github_url, settings.github_token),
        protocols=protocol_of(url),
        timeout=600,
    )  # fmt: skip
    _require_ancestor(repository, change)
    return repository


def _fetch(
    repository: Path, change: Change, source: str, token: dict[str, str], protocols: Sequence[str]
) -> str:
    run_git(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", source,
        f"+refs/heads/{change.branch}:{_IMPORTED}",
        cwd=repository,
        config={**FSCK, **_BIG_FILE, **token},
        protocols=protocols,
    )  # fmt: skip
    head = run_git("rev-parse", "--verify", f"{_IMPORTED}^{{commit}}", cwd=repository)
    return head.decode().strip()


def settle(repository: Path, change: Change, head: str) -> str:
    """One commit of ours on the base with the tree of `head`: the same one at every call.

    Its date is that of the agent's newest commit, or the base's if that is later.
    """
    dates = run_git("show", "--no-patch", "--format=%ct", head, change.base, cwd=repository)
    date = f"{max(int(line) for line in dates.split())} +0000"
    people = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", AUTHOR_NAME), ("EMAIL", AUTHOR_EMAIL), ("DATE", date))
    }
    commit = run_git(
        "commit-tree", f"{head}^{{tree}}", "-p", change.base, "-F", "-",
        cwd=repository,
        environment=people,
        stdin=(change.message or change.title).encode(),
    )  # fmt: skip
    settled = commit.decode().strip()
    trees = run_git("rev-parse", f"{head}^{{tree}}", f"{settled}^{{tree}}", cwd=repository)
    if len(set(trees.split())) != 1:
        raise GitError("what was judged is not what would be published")
    return settled


def push(
    repository: Path, change: Change, commit: str, *, settings: Settings, github: GithubClient
) -> None:
    """Push the commit to the fix's branch, unless it is there already.

    Raises:
        PushRefusedError: the forge does not let us.
        GitError: the branch holds another commit, which is never pushed over.
    """
    there = github.fetch_branch_head(change.repository, change.branch)
    if there == commit:
        return
    if there is not None:
        raise GitError(f"branch {change.branch} holds another commit, {there[:12]}")
    # the empty lease: only if the branch is still not there
    _push(repository, change, settings, lease="", source=commit)


def withdraw(repository: Path, change: Change, commit: str, *, settings: Settings) -> None:
    """Take the branch back, if it still holds our commit and nothing else."""
    _push(repository, change, settings, lease=commit, source="")


def advance(
    repository: Path, change: Change, commit: str, *, settings: Settings, github: GithubClient
) -> None:
    """Push one more commit to the fix's branch, which still ends where that commit began.

    Nothing is done when it is there already.

    Raises:
        GitError: somebody else pushed or deleted the branch, or the push was refused.
    """
    there = github.fetch_branch_head(change.repository, change.branch)
    if there == commit:
        return
    if there != change.base:
        now = f"ends at {there[:12]} now" if there else "is gone"
        raise GitError(f"branch {change.branch} {now}, so nothing is pushed onto it")
    _push(repository, change, settings, lease=change.base, source=commit)


def _push(repository: Path, change: Change, settings: Settings, *, lease: str, source: str) -> None:
    """Only if the branch on the forge is what the lease says; no name means that it is not there."""
    url = clone_url(settings, change.repository)
    ref = f"refs/heads/{change.branch}"
    try:
        run_git(
            "push", "--quiet", "--no-verify", f"--force-with-lease={ref}:{lease}", "--", url,
            f"{source}:{ref}",
            cwd=repository,
            config=token_config(settings.github_url, settings.github_token),
            protocols=protocol_of(url),
        )  # fmt: skip
    except GitError as error:
        raise _read_refusal(str(error), change) from error


def _read_refusal(said: str, change: Change) -> GitError:
    """A refused push with what a person can do about it."""
    for pattern, advice in _REFUSALS:
        if re.search(pattern, said, re.IGNORECASE):
            return PushRefusedError(f"{advice.format(change=change)} ({said})")
    return GitError(said)


def clone_url(settings: Settings, repository: str) -> str:
    """Where the repository is cloned from and pushed to; holds no secret."""
    return f"{settings.github_url.rstrip('/')}/{repository}.git"


def _require_ancestor(repository: Path, change: Change) -> None:
    branch = f"refs/heads/{change.base_branch}"
    try:
        run_git("merge-base", "--is-ancestor", change.base, branch, cwd=repository)
    except GitError as error:
        reason = f"commit {change.base[:12]} is not on branch {change.base_branch}"
        raise GitError(reason) from error
