"""What the agent published itself: found on the forge, judged like any change, adopted or closed.

With the `agent` publisher the agent pushes and opens the pull request from its own shell. Nothing it
says about that counts: branch and pull request are looked for by name, the commits are fetched from
the forge, and the text becomes ours.
"""

from __future__ import annotations

from pathlib import Path

from autofix.change.github_life import LifeClient
from autofix.change.markdown import code, inline
from autofix.change.pr_body import parse_marker
from autofix.change.publish import LABEL, open_pull_request
from autofix.change.transfer import Change, fetch_branch, withdraw
from autofix.errors import GitError, PolicyViolation
from autofix.models import Denial, GateResult, Model, PullRequest, SessionEnd, SessionResult
from autofix.settings import Settings

DENIED = "autofix:denied"
"""On a pull request that we closed because the gate denied it."""
_ACT = "<!-- railway-autofix act:denied -->"


class Published(Model):
    """What there is of a fix on the forge."""

    head: str
    pull: PullRequest | None


def find_published(github: LifeClient, change: Change) -> Published | None:
    """The fix's branch and its pull request; None when nothing was pushed."""
    head = github.fetch_branch_head(change.repository, change.branch)
    if head is None:
        return None
    return Published(head=head, pull=github.find_by_branch(change.repository, change.branch))


def import_published(
    change: Change, head: str, *, settings: Settings, workdir: Path
) -> tuple[Path, str]:
    """A bare clone with the branch as it is on the forge; GitError when it moved since it was found."""
    repository, found = fetch_branch(change, settings=settings, workdir=workdir)
    if found != head:
        raise GitError(f"branch {change.branch} moved from {head[:12]} to {found[:12]}")
    return repository, found


def add_denials(
    judged: GateResult, published: Published, change: Change, session: SessionResult
) -> GateResult:
    """The gate's verdict with what it cannot see: where the pull request goes, how the session ended."""
    denials = list(judged.denials)
    pull = published.pull
    if pull is not None and pull.base != change.base_branch:
        reason = (
            f"The pull request asks to be merged into another branch than {change.base_branch}."
        )
        denials.append(Denial(rule="base", path="", reason=reason))
    if session.end is not SessionEnd.completed:
        reason = f"The agent's session ended as {session.end}: {session.reason}."
        denials.append(Denial(rule="session", path="", reason=reason))
    return judged.model_copy(update={"denials": tuple(denials)})


def adopt(github: LifeClient, change: Change, head: str, body: str) -> PullRequest:
    """The agent's pull request with our title, text, marker and label; opened when only a branch is there.

    Raises:
        PolicyViolation: the branch is no longer what was judged.
    """
    there = find_published(github, change)
    if there is None or there.head != head:
        raise PolicyViolation(f"branch {change.branch} is no longer what was judged, {head[:12]}")
    pull = there.pull
    if pull is not None and pull.state != "open":
        return pull
    if pull is not None and parse_marker(pull.body) is None:
        github.describe(change.repository, pull.number, title=change.title, body=body)
    if pull is None or LABEL not in pull.labels:
        return open_pull_request(change, body, github=github)
    return pull


def close_denied(
    github: LifeClient, change: Change, judged: GateResult, *, settings: Settings, repository: Path
) -> PullRequest | None:
    """Close what the gate denied, with the reasons; a branch without a pull request is deleted.

    The label comes first: a close without it would be a person's no. Safe to call again.
    """
    there = find_published(github, change)
    if there is None:
        return None
    pull = there.pull
    if pull is None:
        withdraw(repository, change, there.head, settings=settings)
        return None
    if pull.state == "open":
        comments = github.fetch_comments(change.repository, pull.number)
        if not any(c.author == pull.author and c.body.startswith(_ACT) for c in comments):
            github.post_comment(change.repository, pull.number, render_denied(judged))
        github.add_labels(change.repository, pull.number, [DENIED])
        github.close_pull(change.repository, pull.number)
    return pull


def render_denied(judged: GateResult) -> str:
    """The comment with every reason."""
    rows = [f"- {code(d.rule)} {code(d.path)}: {inline(d.reason)}" for d in judged.denials]
    return "\n\n".join([_ACT, "Closed: the gate denies this change.", "\n".join(rows)]) + "\n"
