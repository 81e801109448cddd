"""Writes to pull requests after they were opened. Each looks first whether it was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from autofix.change.github_life import Check, LifeClient
from autofix.change.memo import parse_memo
from autofix.models import IncidentRecord, PullRequest
from autofix.verify.comment import MARKER, render_comment
from autofix.verify.upkeep import (
    NEEDS_HUMAN,
    OVER,
    Act,
    ActKind,
    OpenFix,
    decide,
    find_acts,
    render_act,
)
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


def give_to_person(
    forge: LifeClient, pull: PullRequest, reason: str, redact: Callable[[str], str]
) -> None:
    """Say once that a person is needed, and why; the label keeps the agent off."""
    fix = OpenFix(pull_request=pull, comments=forge.fetch_comments(pull.repository, pull.number))
    act = Act(kind=ActKind.needs_human, name="needs-human", text=f"{reason}: a person is needed.")
    carry_out(forge, fix, act, redact)


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


def tend(
    forge: LifeClient,
    pull: PullRequest,
    records: Sequence[IncidentRecord],
    now: datetime,
    redact: Callable[[str], str],
) -> tuple[Act, ...]:
    """Read an open pull request, decide what is to be done, and do it.

    Args:
        forge: the client.
        pull: one of ours, open.
        records: what is remembered of incidents.
        now: the tick.
        redact: takes secrets out of comments.

    Returns:
        What was done, and turns of the agent that are to be started.
    """
    pull = forge.fetch_pull(pull.repository, pull.number)
    fix = OpenFix(
        pull_request=pull,
        comments=forge.fetch_comments(pull.repository, pull.number),
        commits=forge.fetch_commits(pull.repository, pull.number),
        failed_checks=_own_failures(forge, pull),
        change_requests=forge.fetch_change_requests(pull.repository, pull.number),
        quiet_since=quiet_since(pull, records),
    )
    acts = decide(fix, now)
    for act in acts:
        if act.kind is not ActKind.turn:
            carry_out(forge, fix, act, redact)
    return acts


def _own_failures(forge: LifeClient, pull: PullRequest) -> tuple[Check, ...]:
    """Failing checks of a pull request that do not fail on its base branch as well."""
    failed = forge.fetch_failed_checks(pull.repository, pull.head_commit or pull.branch)
    if not failed:
        return ()
    known = {check.name for check in forge.fetch_failed_checks(pull.repository, pull.base)}
    return tuple(check for check in failed if check.name not in known)


def quiet_since(pull: PullRequest, records: Sequence[IncidentRecord]) -> datetime | None:
    """Since when none of a pull request's incidents is in trouble; None while one is, or unknown.

    Those of another environment that wait for the same pull request count too.
    """
    covered = {(memo.fingerprint, memo.episode) for memo in parse_memo(pull.body)}
    ends = [
        r.ended_at
        for r in records
        if (r.fingerprint, r.episode) in covered or r.pull_request == pull.url
    ]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None
