"""Whether something is to be done about an incident now: rules in order, each with its reason.

A person's word comes first, then the pull requests there are, then the run that had the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime

from autofix.models import (
    Declined,
    Finding,
    IncidentRecord,
    IncidentState,
    Model,
    Outcome,
    Severity,
    Signal,
    VerdictKind,
)
from autofix.parameters import Autonomy

MAX_ATTEMPTS = 3
"""Attempts that may end in an error."""
BACK_OFF = timedelta(minutes=15)
"""Wait after the first failed attempt; doubles with each further one."""
COOLDOWN = timedelta(days=14)
"""How long a person's no holds."""
UPSTREAM_LOOK = timedelta(minutes=30)
"""How often a provider's trouble is looked at again."""
UNVERIFIED = timedelta(hours=26)
"""After a merge without an outcome for so long, nobody is verifying."""

_AUTONOMY_ORDER = list(Autonomy)
_REPORTED = frozenset(VerdictKind) - {VerdictKind.code_fix}


class PullFacts(Model):
    """One pull request of ours, as far as incidents are concerned."""

    number: int
    url: str
    state: Literal["open", "merged", "closed"]
    work_ids: tuple[str, ...]
    services: tuple[str, ...]
    """Ids of the services it covers."""
    repository: str = ""
    opened_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    """When it was merged or closed."""
    outcome: Outcome | None = None
    hold: bool = False
    never: bool = False
    by_us: bool = False
    """Closed by us and not by a person."""
    environments: tuple[str, ...] = ()
    """Ids of the environments whose incidents it covers."""
    remembered: tuple[IncidentRecord, ...] = ()
    """Its incidents as it remembers them."""


@dataclass(frozen=True)
class Turn:
    """The run that took an incident's turn, as far as it got."""

    failed_at: datetime | None = None
    """When it ended in an error; None while it runs and when it ended well."""
    verdict: VerdictKind | None = None
    """What it came to; None while that is not known."""
    at: datetime | None = None
    """Since when the run is in its state."""
    reason: str = ""
    """What its state says."""
    action: str = ""
    """What a person has to do; empty when nothing is."""
    cost: float = 0.0
    declined: str = ""
    """Why a person declined its plan; empty when none did."""


@dataclass(frozen=True)
class Sick:
    """What a turn is decided on at one tick."""

    now: datetime
    findings: Sequence[Finding]
    commit: str | None
    """What is deployed."""
    autonomy: Autonomy
    pulls: Sequence[PullFacts] = ()
    """Those that cover the service, newest first."""
    turn: Turn | None = None
    force: bool = False
    deployed_at: datetime | None = None
    """When what is deployed was; None when that is not known."""
    window: timedelta = timedelta(0)
    """How long a time is judged at once."""

    @property
    def signals(self) -> tuple[tuple[Signal, Severity], ...]:
        """What is found, in a stable order."""
        return tuple(sorted({(f.signal, f.severity) for f in self.findings}))

    @property
    def critical(self) -> tuple[Signal, ...]:
        """Signals that are critical."""
        return tuple(s for s, severity in self.signals if severity is Severity.critical)


def take_turn(record: IncidentRecord, sick: Sick) -> tuple[IncidentRecord, bool]:
    """The record as it stands at this tick, and whether it is due."""
    for rule in _RULES:
        settled = rule(record, sick)
        if settled is not None:
            return settled, settled.state is IncidentState.open and not settled.muted
    return record, False


def _set(record: IncidentRecord, state: IncidentState, why: str, **more: Any) -> IncidentRecord:
    return record.model_copy(update={"state": state, "why": why, **more})


def _again(record: IncidentRecord, why: str, **more: Any) -> IncidentRecord:
    return _set(record, IncidentState.open, why, attempt=record.attempt + 1, **more)


def _muted(record: IncidentRecord, _: Sick) -> IncidentRecord | None:
    return record.model_copy(update={"why": "muted by a person"}) if record.muted else None


def _kept_off(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    for pull in sick.pulls:
        if pull.never:
            why = f"#{pull.number} carries the label autofix:never"
            return _set(record, IncidentState.kept_off, why, pull_request=pull.url)
    if sick.pulls and sick.pulls[0].hold:
        why = f"#{sick.pulls[0].number} carries the label autofix:hold"
        return _set(record, IncidentState.kept_off, why, pull_request=sick.pulls[0].url)
    return None


def _forced(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    """A person's `force`; an open pull request still stands in its way."""
    if not sick.force or (sick.pulls and sick.pulls[0].state == "open"):
        return None
    return record if record.state is IncidentState.open else _again(record, "forced by a person")


def _proposed(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    if not sick.pulls or sick.pulls[0].state != "open":
        return None
    pull = sick.pulls[0]
    verdict = record.verdict or VerdictKind.code_fix.value
    why = f"#{pull.number} is open"
    return _set(record, IncidentState.proposed, why, pull_request=pull.url, verdict=verdict)


def _merged(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    if not sick.pulls or sick.pulls[0].state != "merged":
        return None
    pull = sick.pulls[0]
    if pull.environments and record.environment_id not in pull.environments:
        return _merged_elsewhere(record, sick, pull)
    if pull.outcome is None:
        if pull.ended_at is not None and sick.now - pull.ended_at > UNVERIFIED:
            return _settled(record, sick, pull, Outcome.inconclusive)
        why = f"#{pull.number} was merged; what it did is not known yet"
        return _set(record, IncidentState.merged, why, pull_request=pull.url)
    if not _is_of(pull, record):
        return None  # of an earlier episode, which is over
    return _settled(record, sick, pull, pull.outcome)


def _merged_elsewhere(record: IncidentRecord, sick: Sick, pull: PullFacts) -> IncidentRecord | None:
    """The same service was repaired for another environment: held until that is live here too."""
    told = f"#{pull.number} was merged for another environment"
    if sick.deployed_at is None or pull.ended_at is None:
        return None
    if sick.deployed_at < pull.ended_at or sick.now < sick.deployed_at + sick.window:
        why = f"{told} and is not live here for a full window yet"
        return _set(record, IncidentState.merged, why, pull_request=pull.url)
    if record.state is not IncidentState.merged:
        return None  # it had its turn after that, or is new
    earlier = (*record.earlier, f"{pull.url} was merged, and the trouble is still there")
    return _again(record, f"{told}, and the trouble is still there", earlier=earlier)


def _settled(
    record: IncidentRecord, sick: Sick, pull: PullFacts, outcome: Outcome
) -> IncidentRecord | None:
    """What follows from the outcome of this incident's own fix."""
    told = f"#{pull.number} was merged: {outcome.value}"
    if record.work_id not in pull.work_ids:
        return None  # an attempt after the one that was merged: its own run decides
    common = {"pull_request": pull.url, "outcome": outcome}
    if outcome is Outcome.recovered:
        return _set(record, IncidentState.ended, told, ended_at=sick.now, **common)
    if outcome is Outcome.unchanged:
        earlier = (*record.earlier, f"{pull.url} was merged and changed nothing")
        return _again(record, f"{told}; a new attempt", earlier=earlier, **common)
    if record.outcome is not outcome:
        return _set(record, IncidentState.settled, told, settled_commit=sick.commit, **common)
    if sick.commit != record.settled_commit:
        return _again(record, "another commit was deployed", **common)
    return record


def _declined(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    """A person's no to the newest pull request, also of an earlier episode."""
    if not sick.pulls or sick.pulls[0].state != "closed" or sick.pulls[0].by_us:
        return None
    pull = sick.pulls[0]
    no = record.declined
    if no is None or no.pull_request != pull.url:
        no = Declined(
            pull_request=pull.url,
            at=pull.ended_at or sick.now,
            commit=sick.commit,
            critical=sick.critical,
        )
    over = _why_no_is_over(no, sick)
    if over is None:
        why = f"#{pull.number} was closed by a person; looked at again after the cooldown"
        return _set(
            record, IncidentState.declined, why, declined=no, pull_request=pull.url,
            next_look=no.at + COOLDOWN,
        )  # fmt: skip
    if record.state is not IncidentState.declined:
        return None  # it was over before: the run that has the turn decides
    earlier = (*record.earlier, f"{pull.url} was closed by a person")
    return _again(record, over, declined=no, next_look=None, earlier=earlier)


def _declined_plan(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    """A person's no to the plan of this attempt, or of the episode before."""
    turn, no = sick.turn, record.declined
    said_now = turn is not None and bool(turn.declined)
    if turn is not None and said_now and (no is None or no.plan_of != record.work_id):
        no = Declined(
            plan_of=record.work_id,
            reason=turn.declined,
            at=turn.at or sick.now,
            commit=sick.commit,
            critical=sick.critical,
        )
    if no is None or not no.plan_of:
        return None
    if not said_now and record.state not in {IncidentState.open, IncidentState.declined}:
        return None  # it was over when this attempt began
    over = _why_no_is_over(no, sick)
    if over is None:
        why = f"a person declined the plan: {no.reason}; looked at again after the cooldown"
        return _set(record, IncidentState.declined, why, declined=no, next_look=no.at + COOLDOWN)
    if record.state is not IncidentState.declined:
        return None
    earlier = (*record.earlier, f"a person declined a plan: {no.reason}")
    return _again(record, over, declined=None, next_look=None, earlier=earlier)


def _why_no_is_over(no: Declined, sick: Sick) -> str | None:
    if sick.now >= no.at + COOLDOWN:
        return "the cooldown after a person's close is over"
    if sick.commit != no.commit:
        return "another commit was deployed since a person closed it"
    joined = [signal.value for signal in sick.critical if signal not in no.critical]
    return f"a new critical signal joined: {', '.join(joined)}" if joined else None


def _new(record: IncidentRecord, _: Sick) -> IncidentRecord | None:
    return record if record.state is IncidentState.open else None


def _lost(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    """Handed on, and no run: it was lost on the way."""
    if sick.turn is not None:
        return None
    return _set(record, IncidentState.open, "handed on, but its run never came to be")


def _failed(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    turn = sick.turn
    if turn is None or turn.failed_at is None:
        return None
    if record.attempt >= MAX_ATTEMPTS:
        return _set(
            record, IncidentState.handed_on, f"failed {record.attempt} times: {turn.reason}"
        )
    back_off: timedelta = BACK_OFF * 2 ** (record.attempt - 1)
    if sick.now < turn.failed_at + back_off:
        return _set(record, IncidentState.handed_on, f"failed: {turn.reason}; tried again later")
    return _again(record, f"attempt {record.attempt} failed: {turn.reason}")


def _allowed_more(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    before = Autonomy(record.handed_on_at_autonomy or Autonomy.report)
    if _AUTONOMY_ORDER.index(sick.autonomy) <= _AUTONOMY_ORDER.index(before):
        return None
    return _set(record, IncidentState.open, f"autonomy is now {sick.autonomy.value}")


def _reported(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    """A verdict that ends as a report is settled anew when what it rests on changed."""
    turn = sick.turn
    if turn is None or turn.verdict not in _REPORTED:
        return None
    verdict = turn.verdict
    changed = _what_changed(record, sick)
    if changed:
        return _again(record, f"{changed} since the verdict {verdict.value}", verdict=None)
    waited = turn.at is not None and sick.now >= turn.at + UPSTREAM_LOOK
    if verdict is VerdictKind.wait_upstream and waited:
        return _again(record, "the provider is looked at again", verdict=verdict.value)
    return _set(
        record, IncidentState.handed_on, turn.reason, verdict=verdict.value, action=turn.action
    )


def _what_changed(record: IncidentRecord, sick: Sick) -> str:
    before = dict(record.handed_on_signals)
    now = dict(sick.signals)
    joined = [s.value for s in now if s not in before]
    rose = [
        s.value for s in now if before.get(s) is Severity.warning and now[s] is Severity.critical
    ]
    if joined:
        return f"{', '.join(joined)} joined"
    if rose:
        return f"{', '.join(rose)} became critical"
    return "another commit was deployed" if sick.commit != record.handed_on_commit else ""


def _under_way(record: IncidentRecord, sick: Sick) -> IncidentRecord | None:
    turn = sick.turn
    verdict = turn.verdict.value if turn and turn.verdict else record.verdict
    return _set(record, IncidentState.handed_on, turn.reason if turn else "", verdict=verdict)


def _is_of(pull: PullFacts, record: IncidentRecord) -> bool:
    """Whether a pull request belongs to this episode, whatever the attempt."""
    episode = f"{record.fingerprint}-e{record.episode}-"
    return any(work_id.startswith(episode) for work_id in pull.work_ids)


_RULES: tuple[Callable[[IncidentRecord, Sick], IncidentRecord | None], ...] = (
    _muted,
    _kept_off,
    _forced,
    _proposed,
    _merged,
    _declined,
    _declined_plan,
    _new,
    _lost,
    _failed,
    _allowed_more,
    _reported,
    _under_way,
)
