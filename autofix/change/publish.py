"""From the agent's bundle to a draft pull request: import, judge, push, open.

What was judged is what is pushed, from a repository that the agent never touched.
Each step looks first whether it happened before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from autofix.change.gate import GateOptions, judge
from autofix.change.github import GithubClient
from autofix.change.github_errors import (
    InvalidError,
    MovedError,
    PermissionMissingError,
    ReadOnlyError,
)
from autofix.change.ids import BRANCH_PREFIX, branch_name
from autofix.change.pr_body import parse_marker
from autofix.change.transfer import Change, import_bundle, push, settle, withdraw
from autofix.errors import BudgetExceeded, GithubError, PolicyViolation
from autofix.models import GateResult, PullRequest, Skipped
from autofix.settings import Settings

LABEL = "autofix"
HOLD, NEVER = "autofix:hold", "autofix:never"
"""What a person puts on a pull request to keep us off."""


def find_existing_change(
    github: GithubClient,
    repository: str,
    fix_id: str,
    services: Sequence[str],
    *,
    most_open: int | None = None,
    agent_publishes: bool = False,
) -> Skipped | None:
    """Why this fix must not start, by the pull requests there are; None when it may.

    Asked before the model is, and again before anything is written. A fix that has a pull request
    is over, whatever became of it; an open one that covers one of the same services holds the fix
    back, and so does a person's label.

    Args:
        github: the forge.
        repository: ``owner/name``.
        fix_id: the fix that would start.
        services: ids of the services it is for.
        most_open: how many of ours may be open in the repository.
        agent_publishes: its own open pull request without our marker is the agent's, and still to be
            judged.

    Raises:
        GithubError: the pull requests could not be read, so nothing may start.
        BudgetExceeded: as many as allowed are open.
    """
    own = github.find_by_branch(repository, branch_name(repository, fix_id))
    unjudged = agent_publishes and own and own.state == "open" and not parse_marker(own.body)
    if own is not None and not unjudged:
        how = "merged" if own.merged else own.state
        return Skipped(reason=f"pull request #{own.number} of this fix is {how}", pull_request=own)
    pulls = github.find_pull_requests(repository, state="all", head_prefix=BRANCH_PREFIX)
    covering = [pull for pull in pulls if _covers(pull, services)]
    for pull in covering:
        if NEVER in pull.labels or (pull is covering[0] and HOLD in pull.labels):
            label = NEVER if NEVER in pull.labels else HOLD
            reason = f"pull request #{pull.number} of the same service carries the label {label}"
            return Skipped(reason=reason, pull_request=pull)
        if pull.state == "open":
            reason = f"pull request #{pull.number} is open for the same service"
            return Skipped(reason=reason, pull_request=pull)
    ours = [pull for pull in pulls if pull.state == "open" and parse_marker(pull.body)]
    if most_open is not None and len(ours) >= most_open:
        numbers = ", ".join(f"#{pull.number}" for pull in ours)
        raise BudgetExceeded(
            "open_pull_requests_per_repository",
            f"{numbers} wait in {repository}: merge or close one, or raise the cap",
        )
    return None


def _covers(pull: PullRequest, services: Sequence[str]) -> bool:
    marker = parse_marker(pull.body)
    return marker is not None and bool(set(services) & set(marker.services))


def require_writable(github: GithubClient, repository: str, base_branch: str) -> None:
    """Raise a typed GithubError when a pull request to this branch cannot come to be.

    Asked before the model is: nothing is spent on, and nothing left in, a repository that is
    archived, empty or renamed, whose deployed branch is gone, or in which the token may not push.
    """
    found = github.fetch_repository(repository)
    if found.name and found.name.lower() != repository.lower():
        reason = f"{repository} is {found.name} now: connect the service on Railway to its new name"
        raise MovedError(reason)
    if found.read_only:
        reason = f"{repository} is {found.read_only}: unarchive it, or exclude its services"
        raise ReadOnlyError(reason)
    if not found.may_push:
        reason = f"GITHUB_TOKEN lacks a permission in {repository}: contents: write"
        raise PermissionMissingError(reason, "contents: write")
    if github.fetch_branch_head(repository, base_branch) is None:
        raise GithubError(
            f"branch {base_branch} of {repository} is not there (its default branch is "
            f"{found.default_branch}): set the service's branch on Railway"
        )


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
    result = judge(repository, change.base, head, options)
    require_allowed(result)
    return push_and_open(repository, change, head, render(result), settings=settings, github=github)


def push_and_open(
    repository: Path,
    change: Change,
    head: str,
    body: str,
    *,
    settings: Settings,
    github: GithubClient,
) -> PullRequest:
    """Push one commit of ours with the tree of `head`, and open its draft pull request.

    When the pull request cannot come to be, the branch is taken back: nothing stays half made.
    After a fault that may pass it stays, and the next try goes on from it.
    """
    github.make_label(change.repository, LABEL)  # what the token lacks shows before the push
    commit = settle(repository, change, head)
    push(repository, change, commit, settings=settings, github=github)
    try:
        return open_pull_request(change, body, github=github)
    except GithubError as error:
        if not error.retryable and github.find_by_branch(change.repository, change.branch) is None:
            withdraw(repository, change, commit, settings=settings)
        raise


def require_allowed(result: GateResult) -> None:
    """Raise PolicyViolation with every reason when the gate denied something."""
    if not result.allowed:
        reasons = "; ".join(f"{d.path or 'change'}: {d.reason}" for d in result.denials)
        raise PolicyViolation(f"the gate denied the change: {reasons}")


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
    return _with_label(github, change.repository, pull)


def finish_existing_change(
    github: GithubClient, repository: str, fix_id: str, found: Skipped
) -> None:
    """Label this fix's open pull request: a run that died after opening it did not get to that."""
    own = found.pull_request
    if own and own.state == "open" and own.branch == branch_name(repository, fix_id):
        _with_label(github, repository, own)


def _with_label(github: GithubClient, repository: str, pull: PullRequest) -> PullRequest:
    if LABEL in pull.labels:
        return pull
    github.add_labels(repository, pull.number, [LABEL])
    return pull.model_copy(update={"labels": (*pull.labels, LABEL)})
