"""What is done with an open pull request until somebody decides on it. Decided here, done elsewhere.

Each act is done once: its comment carries a marker, by which it is found again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from autofix.change.answer import FollowUp
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
_ASKED = re.compile(r"<!-- railway-autofix asked:([0-9TZ:-]+) on:([0-9a-f]{7,64}) -->")
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
    what: str = ""
    """For a turn: the same in a few words."""
    asked_at: AwareDatetime | None = None
    """For a turn: since when it is asked; what came later is another question."""
    head: str = ""
    """For a turn: the newest commit when it was asked."""
    commits: int = 0
    """For a turn: how many there were."""


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
        acts += _answers(fix, done, now)
    # closing and labelling are done when the forge says so, not when their comment stands
    return tuple(act for act in acts if act.name not in done or act.kind in _SEEN_OTHERWISE)


def find_acts(fix: OpenFix) -> frozenset[str]:
    """Names of the acts whose comments stand on the pull request, ours alone."""
    ours = (c.body for c in fix.comments if c.author == fix.pull_request.author)
    return frozenset(name for body in ours for name in _MARKER.findall(body))


def render_act(act: Act) -> str:
    """The comment of an act, with its marker; a turn's also says what it was asked on."""
    asked = (
        f"<!-- railway-autofix asked:{act.asked_at:%Y-%m-%dT%H:%M:%SZ} on:{act.head} -->\n"
        if act.asked_at
        else ""
    )
    return f"<!-- railway-autofix act:{act.name} -->\n{asked}{act.text}\n"


def build_follow_up(
    pull: PullRequest, act: Act, made_by: str, redact: Callable[[str], str]
) -> FollowUp:
    """A turn as the run that takes it is given it.

    Args:
        pull: the pull request.
        act: the turn.
        made_by: id of the run that opened the pull request.
        redact: takes secrets out of what others wrote.
    """
    return FollowUp(
        pull_request=pull.number,
        turn=act.name,
        head=act.head,
        commits=max(1, act.commits),
        made_by=made_by,
        what=act.what,
        material=redact(act.material),
        asked_at=act.asked_at,
    )


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


def _answers(fix: OpenFix, done: frozenset[str], now: datetime) -> list[Act]:
    """A turn of the agent for what is new since the last one; a person when that did not help.

    A branch with a person's commits is that person's.
    """
    if fix.turn_running or not is_ours_alone(fix.commits):
        return []
    head = fix.pull_request.head_commit or ""
    answered, asked_on = _answered(fix)
    reviews = [r for r in fix.change_requests if answered is None or r.submitted_at > answered]
    # checks that fail on a commit that a turn was asked about: that turn pushed nothing
    checks = () if head in asked_on else fix.failed_checks
    is_stuck = bool(fix.failed_checks) and not checks and not reviews
    if not checks and not reviews and not is_stuck:
        return []
    turns = len([name for name in done if _TURN.fullmatch(name)])
    if turns >= MAX_TURNS or is_stuck:
        much = "The last answer" if is_stuck else f"{MAX_TURNS} answers"
        text = f"{much} did not settle it: a person is needed."
        return [Act(kind=ActKind.needs_human, name="needs-human", text=text)]
    what = " and ".join(_describe(checks, reviews))
    material = "\n\n".join([*_check_material(checks), *_review_material(reviews)])
    return [
        Act(
            kind=ActKind.turn,
            name=f"turn-{turns + 1}",
            text=f"Answering to {what}, turn {turns + 1} of {MAX_TURNS}.",
            material=material[:_MATERIAL_CAP],
            what=what,
            asked_at=max([now, *(r.submitted_at for r in reviews)]),
            head=head,
            commits=len(fix.commits),
        )
    ]


def _describe(checks: Sequence[Check], reviews: Sequence[Review]) -> list[str]:
    parts = []
    if checks:
        parts.append("a failing check" if len(checks) == 1 else f"{len(checks)} failing checks")
    if reviews:
        parts.append("a review that asks for changes")
    return parts


def _check_material(checks: Sequence[Check]) -> list[str]:
    return [f"Check that failed: {inline(check.name)}\n{check.summary}" for check in checks]


def _review_material(reviews: Sequence[Review]) -> list[str]:
    return [f"Changes requested by {inline(r.author)}:\n{r.body}" for r in reviews]


def _answered(fix: OpenFix) -> tuple[datetime | None, frozenset[str]]:
    """Until when reviews are answered, and the commits that a turn was asked about."""
    times: list[datetime] = []
    commits: set[str] = set()
    for comment in fix.comments:
        turns = [name for name in _MARKER.findall(comment.body) if _TURN.fullmatch(name)]
        if comment.author != fix.pull_request.author or not turns:
            continue
        asked = _ASKED.search(comment.body)
        times.append(datetime.fromisoformat(asked[1]) if asked else comment.created_at)
        if asked:
            commits.add(asked[2])
    return max(times, default=None), frozenset(commits)
