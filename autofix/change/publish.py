"""From the agent's bundle to a draft pull request: import, judge, push, open.

What was judged is what is pushed, from a repository that the agent never touched.
Each step looks first whether it happened before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from autofix.change.gate import GateOptions, judge
from autofix.change.github import GithubClient, InvalidError
from autofix.change.ids import BRANCH_PREFIX, branch_name
from autofix.change.pr_body import parse_marker
from autofix.change.transfer import Change, import_bundle, push, settle
from autofix.errors import PolicyViolation
from autofix.models import GateResult, PullRequest, Skipped
from autofix.settings import Settings

LABEL = "autofix"


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
    result = judge(repository, change.base, head, options)
    require_allowed(result)
    commit = settle(repository, change, head)
    push(repository, change, commit, settings=settings, github=github)
    return open_pull_request(change, render(result), github=github)


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
    if LABEL not in pull.labels:
        github.add_labels(change.repository, pull.number, [LABEL])
        pull = pull.model_copy(update={"labels": (*pull.labels, LABEL)})
    return pull
