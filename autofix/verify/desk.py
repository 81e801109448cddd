"""Writes to pull requests after they were opened. Each looks first whether it was done."""

from __future__ import annotations

from collections.abc import Callable

from autofix.change.github_life import LifeClient
from autofix.models import PullRequest
from autofix.verify.comment import MARKER, render_comment
from autofix.verify.upkeep import NEEDS_HUMAN, OVER, Act, ActKind, OpenFix, find_acts, render_act
from autofix.verify.verification import LABELS, Settled, find_outcome


def post_outcome(forge: LifeClient, settled: Settled, redact: Callable[[str], str]) -> PullRequest:
    """The one comment with the outcome, and its label. The label comes last: it says all is done.

    Args:
        forge: the client.
        settled: the verification.
        redact: takes secrets out of the finished text.
    """
    pull = forge.fetch_pull(settled.pull_request.repository, settled.pull_request.number)
    if find_outcome(pull) is not None:
        return pull
    body = redact(render_comment(settled))
    comments = forge.fetch_comments(pull.repository, pull.number)
    if not any(c.author == pull.author and c.body.startswith(MARKER) for c in comments):
        forge.post_comment(pull.repository, pull.number, body)
    label = LABELS[settled.outcome]
    forge.add_labels(pull.repository, pull.number, [label])
    return pull.model_copy(update={"labels": (*pull.labels, label)})


def carry_out(forge: LifeClient, fix: OpenFix, act: Act, redact: Callable[[str], str]) -> None:
    """An act's comment, and what goes with it. A turn itself is the agent's and not done here."""
    pull = fix.pull_request
    if act.name not in find_acts(fix):
        forge.post_comment(pull.repository, pull.number, redact(render_act(act)))
    if act.kind is ActKind.close:
        # the label first: a close without it is a person's no
        forge.add_labels(pull.repository, pull.number, [OVER])
        forge.close_pull(pull.repository, pull.number)
    elif act.kind is ActKind.needs_human:
        forge.add_labels(pull.repository, pull.number, [NEEDS_HUMAN])
