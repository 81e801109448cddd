"""Findings to incidents, and what is remembered of them between ticks.

`advance` is pure: records and findings in, new records and the incidents that are due out.
The store behind it has one writer, the monitor flow.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from autofix.detect.turns import PullFacts, Sick, Turn, take_turn
from autofix.models import (
    Finding,
    Incident,
    IncidentRecord,
    IncidentState,
    Outcome,
    Service,
    Severity,
    Signal,
    Window,
)
from autofix.parameters import Autonomy

Pulls = Mapping[str, Sequence[PullFacts]]

QUIET_TICKS = 3
"""Ticks without findings after which an incident is over."""
NOT_ASKED = "the forge could not be asked for pull requests, so no repair starts"
FORGOTTEN_AFTER = timedelta(days=30)
"""Records of incidents that ended so long ago are deleted."""


class IncidentStore(Protocol):
    """Where records live between ticks."""

    def load(self) -> tuple[IncidentRecord, ...]:
        """Every record, ended ones included."""

    def save(self, record: IncidentRecord) -> None:
        """Write one record; the newest wins."""

    def delete(self, record: IncidentRecord) -> None:
        """Forget one record."""


class MemoryIncidentStore:
    """The in-memory twin, for tests and for a run by hand."""

    def __init__(self, records: Iterable[IncidentRecord] = ()) -> None:
        """Begin with these records."""
        self._records = {_key(record): record for record in records}

    def load(self) -> tuple[IncidentRecord, ...]:
        """Every record, ended ones included."""
        return tuple(self._records.values())

    def save(self, record: IncidentRecord) -> None:
        """Write one record; the newest wins."""
        self._records[_key(record)] = record

    def delete(self, record: IncidentRecord) -> None:
        """Forget one record."""
        self._records.pop(_key(record), None)


@dataclass(frozen=True)
class Tick:
    """What the detector saw at one tick."""

    window: Window
    environment_id: str
    services: Mapping[str, Service]
    """By id; the watched ones."""
    findings: Sequence[Finding]
    unknown: frozenset[str] = frozenset()
    """Ids of services that could not be read: neither sick nor healthy."""


@dataclass(frozen=True)
class Advance:
    """Records to write, and incidents to hand on, worst first."""

    records: tuple[IncidentRecord, ...]
    due: tuple[Incident, ...]


def fingerprint(environment_id: str, service_id: str, signal: Signal, commit: str | None) -> str:
    """Short hash of what an incident is about at its opening; no times and no values in it."""
    text = "\0".join((environment_id, service_id, signal.value, commit or ""))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def advance(
    records: Iterable[IncidentRecord],
    tick: Tick,
    *,
    autonomy: Autonomy,
    turns: Mapping[str, Turn] | None = None,
    pulls: Pulls | None = MappingProxyType({}),
    force: bool = False,
) -> Advance:
    """Open, keep and end incidents, and say which are due.

    Args:
        records: all that is remembered.
        tick: what was seen now.
        autonomy: how far a run may go; an incident handed on at a lower level is due again.
        turns: the runs that took them, by work id. An incident that was handed on and has no
            run was lost on the way, and is due again.
        pulls: pull requests by id of the services they cover; None when the forge could not be
            asked, and then no repair starts.
        force: start a new attempt for every affected service.
    """
    records = list(records)
    of_here = [r for r in records if r.environment_id == tick.environment_id]
    active = {r.service_id: r for r in of_here if r.ended_at is None}
    by_service: dict[str, list[Finding]] = {}
    for finding in tick.findings:
        by_service.setdefault(finding.service_id, []).append(finding)

    changed = [_note(r, pulls_of(pulls, r.service_id)) for r in of_here if r.ended_at]
    due: list[Incident] = []
    for service_id, service in tick.services.items():
        record, findings = active.get(service_id), by_service.get(service_id, [])
        if findings:
            sick = Sick(
                now=tick.window.end,
                findings=findings,
                commit=_commit(service),
                autonomy=autonomy,
                pulls=pulls_of(pulls, service_id),
                turn=(turns or {}).get(record.work_id) if record else None,
                force=force,
                deployed_at=service.deployment.created_at if service.deployment else None,
                window=tick.window.length,
            )
            record = _seen(record or _open(of_here, service, sick, tick), sick)
            record, is_due = take_turn(record, sick)
            if is_due and pulls is None and autonomy.repairs:
                record, is_due = record.model_copy(update={"why": NOT_ASKED}), False
            if is_due:
                due.append(build_incident(record, service, findings, tick.window))
            changed.append(record)
        elif record is not None and service_id not in tick.unknown:
            changed.append(_quiet(_note(record, pulls_of(pulls, service_id)), tick.window.end))
    due.sort(key=lambda incident: (incident.severity is not Severity.critical, incident.onset))
    return Advance(tuple(changed), tuple(due))


def is_forgotten(record: IncidentRecord, now: datetime) -> bool:
    """Whether a record has served: its incident ended long ago."""
    return record.ended_at is not None and now - record.ended_at > FORGOTTEN_AFTER


def pulls_of(pulls: Pulls | None, service_id: str) -> tuple[PullFacts, ...]:
    """The pull requests that cover a service, newest first."""
    found = (pulls or {}).get(service_id, ())
    return tuple(sorted(found, key=lambda pull: pull.number, reverse=True))


def cap_repositories(
    due: Sequence[Incident],
    limit: int,
    *,
    pulls: Pulls | None = None,
    now: datetime | None = None,
    per_day: int | None = None,
    open_per_repository: int | None = None,
) -> tuple[Incident, ...]:
    """The incidents of the first `limit` repositories with room; those without one always pass.

    What is cut stays open in its record and is due at the next tick.

    Args:
        due: worst first.
        limit: new pull requests a tick.
        pulls: ours, by service; what is open and what was opened is counted on them.
        now: the tick.
        per_day: how many may be opened in 24 hours.
        open_per_repository: how many may wait in one repository.
    """
    ours = {pull.url: pull for group in (pulls or {}).values() for pull in group}.values()
    repositories = list(dict.fromkeys(i.service.repository for i in due if i.service.repository))
    if open_per_repository is not None:
        waiting = Counter(pull.repository for pull in ours if pull.state == "open")
        repositories = [r for r in repositories if waiting[r] < open_per_repository]
    if per_day is not None and now is not None:
        since = now - timedelta(hours=24)
        opened = sum(pull.opened_at is not None and pull.opened_at > since for pull in ours)
        limit = min(limit, max(0, per_day - opened))
    kept = set(repositories[:limit])
    return tuple(i for i in due if i.service.repository is None or i.service.repository in kept)


def hand_on(record: IncidentRecord, incident: Incident, autonomy: Autonomy) -> IncidentRecord:
    """The record of an incident that a child run is about to take."""
    signals = sorted({(f.signal, f.severity) for f in incident.findings})
    return record.model_copy(
        update={
            "state": IncidentState.handed_on,
            "handed_on_at_autonomy": autonomy.value,
            "handed_on_signals": tuple(signals),
            "handed_on_commit": _commit(incident.service),
        }
    )


def build_incident(
    record: IncidentRecord, service: Service, findings: Sequence[Finding], window: Window
) -> Incident:
    """One record and its findings as the incident that the next stage reads."""
    return Incident(
        fingerprint=record.fingerprint,
        episode=record.episode,
        attempt=record.attempt,
        environment_id=record.environment_id,
        service=service,
        findings=tuple(findings),
        onset=record.onset,
        deployed_commit=record.deployed_commit,
        window=window,
        earlier=record.earlier,
    )


def _open(
    records: Sequence[IncidentRecord], service: Service, sick: Sick, tick: Tick
) -> IncidentRecord:
    """A new record, or the one that a pull request remembers when ours was lost."""
    own = [r for r in records if r.service_id == service.id]
    remembered = [r for pull in sick.pulls for r in pull.remembered if r.service_id == service.id]
    remembered = [r for r in remembered if r.environment_id == tick.environment_id]
    if remembered and not own and sick.pulls[0].outcome is None:
        return remembered[0]
    first = min(
        sick.findings, key=lambda f: (f.severity is not Severity.critical, f.onset, f.signal)
    )
    mark = fingerprint(tick.environment_id, service.id, first.signal, sick.commit)
    known = [r.episode for r in (*own, *remembered) if r.fingerprint == mark]
    before = max(own, key=lambda r: r.opened_at, default=None)
    return IncidentRecord(
        fingerprint=mark,
        episode=1 + max(known, default=0),
        attempt=1,
        environment_id=tick.environment_id,
        service_id=service.id,
        service=service.name,
        first_signal=first.signal,
        deployed_commit=sick.commit,
        onset=min(f.onset for f in sick.findings),
        opened_at=tick.window.end,
        last_seen=tick.window.end,
        declined=before.declined if before else None,
        earlier=_earlier(before),
    )


def _earlier(before: IncidentRecord | None) -> tuple[str, ...]:
    """What the episode before came to."""
    if before is None or before.pull_request is None:
        return ()
    came = f"was merged: {before.outcome.value}" if before.outcome else "was not merged"
    ended = (
        f", and the trouble ended at {before.ended_at:%Y-%m-%d %H:%M} UTC"
        if before.ended_at
        else ""
    )
    return (*before.earlier, f"{before.pull_request} {came}{ended}")


def _seen(record: IncidentRecord, sick: Sick) -> IncidentRecord:
    signals = tuple(dict.fromkeys((*record.signals, *(f.signal for f in sick.findings))))
    cost = max(record.cost, sick.turn.cost if sick.turn else 0.0)
    return record.model_copy(
        update={"last_seen": sick.now, "quiet_ticks": 0, "signals": signals, "cost": cost}
    )


def _note(record: IncidentRecord, pulls: Sequence[PullFacts]) -> IncidentRecord:
    """What became of its pull request, also when the trouble is over."""
    episode = f"{record.fingerprint}-e{record.episode}-"
    for pull in pulls:
        if any(work_id.startswith(episode) for work_id in pull.work_ids):
            return record.model_copy(update={"pull_request": pull.url, "outcome": pull.outcome})
    return record


def _quiet(record: IncidentRecord, now: datetime) -> IncidentRecord:
    quiet = record.quiet_ticks + 1
    over = quiet >= QUIET_TICKS or record.outcome is Outcome.recovered
    update = {"quiet_ticks": quiet}
    if over:
        why = f"quiet for {quiet} ticks" if record.outcome is None else f"{record.outcome.value}"
        return record.model_copy(
            update={**update, "ended_at": now, "state": IncidentState.ended, "why": why}
        )
    return record.model_copy(update=update)


def _commit(service: Service) -> str | None:
    return service.deployment.commit if service.deployment else None


def _key(record: IncidentRecord) -> tuple[str, int]:
    return record.fingerprint, record.episode
