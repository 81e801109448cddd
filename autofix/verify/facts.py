"""Pull requests as incidents see them: state, what a person said by a label, what came of a merge."""

from __future__ import annotations

from collections.abc import Iterable

from autofix.change.memo import IncidentMemo, parse_memo
from autofix.change.pr_body import parse_marker
from autofix.change.publish import HOLD, NEVER
from autofix.detect.turns import PullFacts
from autofix.models import IncidentRecord, IncidentState, PullRequest
from autofix.verify.upkeep import OVER
from autofix.verify.verification import find_outcome

CLOSED_BY_US = frozenset({OVER, "autofix:denied"})
"""Labels with which we close a pull request ourselves."""


def group_by_service(pulls: Iterable[PullRequest]) -> dict[str, list[PullFacts]]:
    """The facts of our pull requests by id of each service they cover; others are left out."""
    found: dict[str, list[PullFacts]] = {}
    for pull in pulls:
        facts = build_facts(pull)
        if facts is not None:
            for service in facts.services:
                found.setdefault(service, []).append(facts)
    return found


def build_facts(pull: PullRequest) -> PullFacts | None:
    """The facts of one pull request; None when it is not one of ours."""
    marker = parse_marker(pull.body)
    if marker is None:
        return None
    labels = set(pull.labels)
    return PullFacts(
        number=pull.number,
        url=pull.url,
        state="merged" if pull.merged else pull.state,
        work_ids=marker.work_ids,
        services=marker.services,
        repository=pull.repository,
        opened_at=pull.created_at,
        ended_at=pull.merged_at or pull.closed_at,
        outcome=find_outcome(pull),
        hold=HOLD in labels,
        never=NEVER in labels,
        by_us=bool(labels & CLOSED_BY_US),
        environments=tuple(sorted({memo.environment_id for memo in parse_memo(pull.body)})),
        remembered=tuple(rebuild_record(memo, pull) for memo in parse_memo(pull.body)),
    )


def is_of_environment(pull: PullRequest, environment_id: str) -> bool:
    """Whether a pull request was made for trouble in this environment; it is kept there alone."""
    return any(memo.environment_id == environment_id for memo in parse_memo(pull.body))


def rebuild_record(memo: IncidentMemo, pull: PullRequest) -> IncidentRecord:
    """The record of an incident as its pull request remembers it."""
    first = min(memo.signals, key=lambda s: (s.severity.value, s.onset, s.signal))
    return IncidentRecord(
        fingerprint=memo.fingerprint,
        episode=memo.episode,
        attempt=memo.attempt,
        environment_id=memo.environment_id,
        service_id=memo.service_id,
        service=memo.service,
        first_signal=first.signal,
        deployed_commit=memo.deployed_commit,
        onset=memo.onset,
        opened_at=memo.found_at,
        last_seen=memo.found_at,
        state=IncidentState.proposed,
        why="rebuilt from its pull request",
        handed_on_at_autonomy="pull_request",
        handed_on_signals=tuple(sorted({(s.signal, s.severity) for s in memo.signals})),
        handed_on_commit=memo.deployed_commit,
        signals=tuple(dict.fromkeys(s.signal for s in memo.signals)),
        pull_request=pull.url,
    )
