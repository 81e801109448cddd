"""Findings to incidents, and what is remembered of them between ticks.

`advance` is pure: records and findings in, new records and the incidents that are due out.
The store behind it has one writer, the monitor flow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from autofix.models import (
    Finding,
    Incident,
    IncidentRecord,
    IncidentState,
    Service,
    Severity,
    Signal,
    Window,
)
from autofix.parameters import Autonomy

QUIET_TICKS = 3
"""Ticks without findings after which an incident is over."""
MAX_ATTEMPTS = 3
BACK_OFF = timedelta(minutes=15)
"""Wait after the first failed attempt; doubles with each further one."""

_AUTONOMY_ORDER = list(Autonomy)


class IncidentStore(Protocol):
    """Where records live between ticks."""

    def load(self) -> tuple[IncidentRecord, ...]:
        """Every record, ended ones included."""

    def save(self, record: IncidentRecord) -> None:
        """Write one record; the newest wins."""


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


@dataclass(frozen=True)
class Turn:
    """The run that took an incident's turn, as far as it got."""

    failed_at: datetime | None = None
    """When it ended in an error; None while it runs and when it ended well."""


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
    force: bool = False,
) -> Advance:
    """Open, keep and end incidents, and say which are due.

    Args:
        records: all that is remembered.
        tick: what was seen now.
        autonomy: how far a run may go; an incident handed on at a lower level is due again.
        turns: the runs that took them, by work id. An incident that was handed on and has no
            run was lost on the way, and is due again.
        force: start a new attempt for every affected service.
    """
    records = list(records)
    active = {
        r.service_id: r
        for r in records
        if r.ended_at is None and r.environment_id == tick.environment_id
    }
    by_service: dict[str, list[Finding]] = {}
    for finding in tick.findings:
        by_service.setdefault(finding.service_id, []).append(finding)

    changed: list[IncidentRecord] = []
    due: list[Incident] = []
    for service_id, service in tick.services.items():
        record, findings = active.get(service_id), by_service.get(service_id, [])
        if findings:
            record = _seen(record or _open(records, service, findings, tick), tick.window.end)
            record, is_due = _turn(record, tick.window.end, autonomy, turns or {}, force=force)
            if is_due:
                due.append(build_incident(record, service, findings, tick.window))
            changed.append(record)
        elif record is not None and service_id not in tick.unknown:
            changed.append(_quiet(record, tick.window.end))
    due.sort(key=lambda incident: (incident.severity is not Severity.critical, incident.onset))
    return Advance(tuple(changed), tuple(due))


def cap_repositories(due: Sequence[Incident], limit: int) -> tuple[Incident, ...]:
    """The incidents of the first `limit` repositories; those without one always pass.

    What is cut stays open in its record and is due at the next tick.
    """
    repositories = list(dict.fromkeys(i.service.repository for i in due if i.service.repository))
    kept = set(repositories[:limit])
    return tuple(i for i in due if i.service.repository is None or i.service.repository in kept)


def hand_on(record: IncidentRecord, autonomy: Autonomy) -> IncidentRecord:
    """The record of an incident that a child run is about to take."""
    return record.model_copy(
        update={"state": IncidentState.handed_on, "handed_on_at_autonomy": autonomy.value}
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
    )


def _open(
    records: Sequence[IncidentRecord], service: Service, findings: Sequence[Finding], tick: Tick
) -> IncidentRecord:
    first = min(findings, key=lambda f: (f.severity is not Severity.critical, f.onset, f.signal))
    commit = service.deployment.commit if service.deployment else None
    mark = fingerprint(tick.environment_id, service.id, first.signal, commit)
    episode = 1 + max((r.episode for r in records if r.fingerprint == mark), default=0)
    return IncidentRecord(
        fingerprint=mark,
        episode=episode,
        attempt=1,
        environment_id=tick.environment_id,
        service_id=service.id,
        service=service.name,
        first_signal=first.signal,
        deployed_commit=commit,
        onset=min(f.onset for f in findings),
        opened_at=tick.window.end,
        last_seen=tick.window.end,
    )


def _seen(record: IncidentRecord, now: datetime) -> IncidentRecord:
    return record.model_copy(update={"last_seen": now, "quiet_ticks": 0})


def _quiet(record: IncidentRecord, now: datetime) -> IncidentRecord:
    quiet = record.quiet_ticks + 1
    ended = now if quiet >= QUIET_TICKS else None
    return record.model_copy(update={"quiet_ticks": quiet, "ended_at": ended})


def _turn(
    record: IncidentRecord,
    now: datetime,
    autonomy: Autonomy,
    turns: Mapping[str, Turn],
    *,
    force: bool,
) -> tuple[IncidentRecord, bool]:
    """The record as it stands at this tick, and whether it is due."""
    if record.muted:
        return record, False
    if record.state is IncidentState.open:
        return record, True
    turn = turns.get(record.work_id)
    if force or _may_try_again(record, turn, now):
        update = {"attempt": record.attempt + 1, "state": IncidentState.open}
        return record.model_copy(update=update), True
    before = Autonomy(record.handed_on_at_autonomy or Autonomy.report)
    return record, turn is None or _AUTONOMY_ORDER.index(autonomy) > _AUTONOMY_ORDER.index(before)


def _may_try_again(record: IncidentRecord, turn: Turn | None, now: datetime) -> bool:
    if turn is None or turn.failed_at is None or record.attempt >= MAX_ATTEMPTS:
        return False
    back_off: timedelta = BACK_OFF * 2 ** (record.attempt - 1)
    return now >= turn.failed_at + back_off


def _key(record: IncidentRecord) -> tuple[str, int]:
    return record.fingerprint, record.episode
