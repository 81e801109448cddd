"""A turn of the agent on an open pull request: whether it is to be taken, and the comment that ends it.

Apart from the other writes, so that the agent's flow does not load what measures outcomes.
"""

from __future__ import annotations

from autofix.change.answer import FollowUp
from autofix.change.github_life import LifeClient
from autofix.change.publish import HOLD, NEVER
from autofix.models import Skipped
from autofix.verify.upkeep import Act, ActKind, OpenFix, find_acts, is_ours_alone, render_act


def find_settled(forge: LifeClient, repository: str, number: int, turn: str) -> Skipped | None:
    """Why a turn of the agent is not taken, or not again; None when it is to be taken."""
    pull = forge.fetch_pull(repository, number)
    fix = OpenFix(pull_request=pull, comments=forge.fetch_comments(repository, number))
    reason = ""
    if pull.state != "open":
        reason = f"pull request #{number} is closed"
    elif {HOLD, NEVER} & set(pull.labels):
        reason = f"a label on pull request #{number} says to keep off"
    elif turn in find_acts(fix):
        reason = f"{turn} of pull request #{number} was answered"
    elif not is_ours_alone(forge.fetch_commits(repository, number)):
        reason = f"pull request #{number} holds somebody else's commits"
    return Skipped(reason=reason, pull_request=pull) if reason else None


def post_turn(forge: LifeClient, repository: str, follow_up: FollowUp, text: str) -> None:
    """The comment that ends a turn, unless it is there; the text is redacted already."""
    pull = forge.fetch_pull(repository, follow_up.pull_request)
    fix = OpenFix(pull_request=pull, comments=forge.fetch_comments(repository, pull.number))
    if follow_up.turn in find_acts(fix):
        return
    act = Act(
        kind=ActKind.turn,
        name=follow_up.turn,
        text=text,
        asked_at=follow_up.asked_at,
        head=follow_up.head,
    )
    forge.post_comment(repository, pull.number, render_act(act))
