"""From the agent's bundle to a draft pull request: import, judge, push, open.

What was judged is what is pushed, by its hash, from a repository that the agent never touched.
Each step looks first whether it happened before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from autofix.change import gate
from autofix.change.gate import GateOptions
from autofix.change.git import FSCK, protocol_of, run_git, token_config
from autofix.change.github import GithubClient, InvalidError
from autofix.change.ids import BRANCH_PREFIX, branch_name
from autofix.change.pr_body import parse_marker
from autofix.errors import GitError, PolicyViolation
from autofix.models import GateResult, Model, PullRequest, Skipped
from autofix.settings import Settings

LABEL = "autofix"
_IMPORTED = "refs/autofix/head"


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


def find_existing_change(
    github: GithubClient, repository: str, fix_id: str, services: Sequence[str]
) -> Skipped | None:
    """Why this fix must not start, by the pull requests there are; None when it may.

    Asked before the model is. A fix that has a pull request is over, whatever became of it; an
    open one that covers one of the same services holds the fix back.

    Args:
        github: the forge.
        repository: ``owner/name``.
        fix_id: the fix that would start.
        services: ids of the services it is for.

    Raises:
        GithubError: the pull requests could not be read, so nothing may start.
    """
    own = github.find_by_branch(repository, branch_name(repository, fix_id))
    if own is not None:
        how = "merged" if own.merged else own.state
        return Skipped(reason=f"pull request #{own.number} of this fix is {how}", pull_request=own)
    for pull in github.find_pull_requests(repository, state="open", head_prefix=BRANCH_PREFIX):
        marker = parse_marker(pull.body)
        if marker and set(services) & set(marker.services):
            reason = f"pull request #{pull.number} is open for the same service"
            return Skipped(reason=reason, pull_request=pull)
    return None


def publish(
    bundle: bytes,
    change: Change,
    *,
    settings: Settings,
    github: GithubClient,
    options: GateOptions,
    render: Callable[[GateResult], str],
    workdir: Path,
) -> PullRequest:
    """The draft pull request of this change, made unless it is there.

    Args:
        bundle: the commits ``base..branch``.
        change: what is published, and where to.
        settings: GitHub's addresses and token.
        github: its client.
        options: what the gate allows.
        render: makes the body of the pull request.
        workdir: an empty folder of ours.

    Raises:
        PolicyViolation: the gate denied it; the message holds every reason.
        GitError: the bundle or the forge's git did not work.
        GithubError: GitHub's API did not work.
    """
    repository, head = import_bundle(bundle, change, settings=settings, workdir=workdir)
    result = gate.judge(repository, change.base, head, options)
    require_allowed(result)
    push(repository, change, head, settings=settings, github=github)
    return open_pull_request(change, render(result), github=github)


def import_bundle(
    bundle: bytes, change: Change, *, settings: Settings, workdir: Path
) -> tuple[Path, str]:
    """A bare clone of the repository with the bundle's commits in it, and the newest of them.

    The base was reported from where the agent works, so it has to be on the deployed branch of
    the forge's own repository.
    """
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
    file = workdir / "change.bundle"
    file.write_bytes(bundle)
    run_git(
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(file),
        f"+refs/heads/{change.branch}:{_IMPORTED}",
        cwd=repository,
        config=FSCK,
        protocols=("file",),
    )  # fmt: skip
    head = run_git("rev-parse", "--verify", f"{_IMPORTED}^{{commit}}", cwd=repository)
    return repository, head.decode().strip()


def require_allowed(result: GateResult) -> None:
    """Raise PolicyViolation with every reason when the gate denied something."""
    if not result.allowed:
        reasons = "; ".join(f"{d.path or 'change'}: {d.reason}" for d in result.denials)
        raise PolicyViolation(f"the gate denied the change: {reasons}")


def push(
    repository: Path, change: Change, head: str, *, settings: Settings, github: GithubClient
) -> None:
    """Push the judged commit to the fix's branch, unless it is there already.

    Raises:
        GitError: the branch holds another commit, or the push was refused.
    """
    there = github.fetch_branch_head(change.repository, change.branch)
    if there == head:
        return
    if there is not None:
        raise GitError(f"branch {change.branch} holds another commit, {there[:12]}")
    url = clone_url(settings, change.repository)
    ref = f"refs/heads/{change.branch}"
    run_git(
        # the empty lease: only if the branch is still not there
        "push", "--quiet", "--no-verify", f"--force-with-lease={ref}:", "--", url, f"{head}:{ref}",
        cwd=repository,
        config=token_config(settings.github_url, settings.github_token),
        protocols=protocol_of(url),
    )  # fmt: skip


def open_pull_request(change: Change, body: str, *, github: GithubClient) -> PullRequest:
    """The change's pull request, opened as a draft unless there is one, open or closed."""
    pull = github.find_by_branch(change.repository, change.branch)
    if pull is None:
        try:
            pull = github.open_draft(
                change.repository,
                title=change.title,
                body=body,
                branch=change.branch,
                base=change.base_branch,
            )
        except InvalidError:
            # somebody was faster, or the answer to an earlier request was lost
            pull = github.find_by_branch(change.repository, change.branch)
            if pull is None:
                raise
    if LABEL not in pull.labels:
        github.add_labels(change.repository, pull.number, [LABEL])
        pull = pull.model_copy(update={"labels": (*pull.labels, LABEL)})
    return pull


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
