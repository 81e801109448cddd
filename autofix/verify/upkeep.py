"""What is done with an open pull request until somebody decides on it. Decided here, done elsewhere.

Each act is done once: its comment carries a marker, by which it is found again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from autofix.change.github_life import Check, Comment, PullCommit, Review
from autofix.change.markdown import inline
from autofix.change.publish import HOLD, NEVER
from autofix.models import Model, PullRequest

CLOSE_AFTER = timedelta(days=7)
"""How long a pull request stays open after its trouble is over."""
MAX_TURNS = 2
"""How often the agent answers to checks and reviews of one pull request."""
NEEDS_HUMAN = "autofix:needs-human"
OVER = "autofix:over"
"""On a pull request that we closed ourselves, because its trouble is over."""
_MARKER = re.compile(r"<!-- railway-autofix act:([a-z0-9-]+) -->")
_TURN = re.compile(r"turn-\d+")
OUR_DOMAIN = "@railway-autofix.invalid"
"""Whose addresses our commits carry."""
_MATERIAL_CAP = 6_000


class ActKind(StrEnum):
    """What is done."""

    comment = "comment"
    close = "close"
    turn = "turn"
    """The agent answers to failing checks or to a review, in the same session."""
    needs_human = "needs_human"


_SEEN_OTHERWISE = frozenset({ActKind.close, ActKind.needs_human})


class Act(Model):
    """One thing to do with a pull request, once."""

    kind: ActKind
    name: str
    """What it is found again by."""
    text: str
    """The comment that goes with it."""
    material: str = ""
    """For a turn: what the agent is to answer, from outside and not yet fenced."""


class OpenFix(Model):
    """An open pull request with what is needed to decide on it."""

    pull_request: PullRequest
    comments: tuple[Comment, ...] = ()
    commits: tuple[PullCommit, ...] = ()
    failed_checks: tuple[Check, ...] = ()
    change_requests: tuple[Review, ...] = ()
    turn_running: bool = False
    """Whether the agent is at work on an answer right now."""
    quiet_since: AwareDatetime | None = None
    """Since when none of its incidents is in trouble any more; None while one is, or when that
    is not known."""


def decide(fix: OpenFix, now: datetime) -> tuple[Act, ...]:
    """What is to be done now; empty when nothing is, or when a person said to keep off."""
    labels = set(fix.pull_request.labels)
    if labels & {HOLD, NEVER}:
        return ()
    done = find_acts(fix)
    acts = [*_over(fix, now), *_conflict(fix)]
    if NEEDS_HUMAN not in labels:
        acts += _answers(fix, done)
    # closing and labelling are done when the forge says so, not when their comment stands
    return tuple(act for act in acts if act.name not in done or act.kind in _SEEN_OTHERWISE)


def find_acts(fix: OpenFix) -> frozenset[str]:
    """Names of the acts whose comments stand on the pull request, ours alone."""
    ours = (c.body for c in fix.comments if c.author == fix.pull_request.author)
    return frozenset(name for body in ours for name in _MARKER.findall(body))


def render_act(act: Act) -> str:
    """The comment of an act, with its marker."""
    return f"<!-- railway-autofix act:{act.name} -->\n{act.text}\n"


def is_ours_alone(commits: Iterable[PullCommit]) -> bool:
    """Whether nobody else committed to the branch."""
    return all(commit.author_email.endswith(OUR_DOMAIN) for commit in commits)


def _over(fix: OpenFix, now: datetime) -> list[Act]:
    since = fix.quiet_since
    if since is None:
        return []
    mark = f"{since:%Y%m%dt%H%M}"
    alone = is_ours_alone(fix.commits)
    closing = (
        "Without news it is closed after 7 days."
        if alone
        else "It stays open: it holds others' commits."
    )
    acts = [
        Act(
            kind=ActKind.comment,
            name=f"over-{mark}",
            text=f"The trouble is over since {since:%Y-%m-%d %H:%M} UTC, without this change. {closing}",
        )
    ]
    if alone and now - since >= CLOSE_AFTER:
        text = (
            "Closed: the trouble has been over for 7 days. If it comes back, it is a new episode."
        )
        acts.append(Act(kind=ActKind.close, name=f"closed-{mark}", text=text))
    return acts


def _conflict(fix: OpenFix) -> list[Act]:
    pull = fix.pull_request
    if pull.mergeable is not False or pull.head_commit is None:
        return []
    text = (
        f"This branch conflicts with `{pull.base.replace('`', '')}`. Rebase it, or close this pull "
        "request: if the trouble is still there after a new deployment, a new one is made on top of it."
    )
    return [Act(kind=ActKind.comment, name=f"conflict-{pull.head_commit[:12]}", text=text)]


def _answers(fix: OpenFix, done: frozenset[str]) -> list[Act]:
    """A turn of the agent for what is new since the last one; a person when they are used up."""
    wanted = [*_check_material(fix.failed_checks), *_review_material(fix.change_requests, fix)]
    if not wanted or fix.turn_running:
        return []
    turns = len([name for name in done if _TURN.fullmatch(name)])
    if turns >= MAX_TURNS:
        text = f"{MAX_TURNS} answers did not settle it: a person is needed."
        return [Act(kind=ActKind.needs_human, name="needs-human", text=text)]
    what = "failing checks" if fix.failed_checks else "a review that asks for changes"
    return [
        Act(
            kind=ActKind.turn,
            name=f"turn-{turns + 1}",
            text=f"Answering to {what}, turn {turns + 1} of {MAX_TURNS}.",
            material="\n\n".join(wanted)[:_MATERIAL_CAP],
        )
    ]


def _check_material(checks: Sequence[Check]) -> list[str]:
    return [f"Check that failed: {inline(check.name)}\n{check.summary}" for check in checks]


def _review_material(reviews: Sequence[Review], fix: OpenFix) -> list[str]:
    """Reviews younger than the newest turn: older ones were answered."""
    turns = [
        comment.created_at
        for comment in fix.comments
        if comment.author == fix.pull_request.author
        and any(_TURN.fullmatch(name) for name in _MARKER.findall(comment.body))
    ]
    answered = max(turns, default=None)
    return [
        f"Changes requested by {inline(review.author)}:\n{review.body}"
        for review in reviews
        if answered is None or review.submitted_at > answered
    ]
