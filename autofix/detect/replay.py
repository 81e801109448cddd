"""The detector over recorded history: what it would have said at each tick."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from autofix.detect.findings import Judged, judge
from autofix.detect.grid import Recording, moment, nanoseconds
from autofix.detect.incidents import QUIET_TICKS
from autofix.detect.output import rfc3339
from autofix.detect.view import HISTORY, LONGEST_STEP, View, Viewer
from autofix.errors import ConfigError
from autofix.models import Finding, Service, ServiceKind, Severity
from autofix.parameters import Rules

MAX_TICKS = 50_000
_BLOCK = timedelta(hours=24)
"""So much is looked at with one grid, so that a long history takes no more memory."""
_NS = 1_000_000_000
_DATABASE = re.compile(
    r"postgres|postgis|timescale|pgvector|mysql|mariadb|mongo|redis|valkey|memcached|clickhouse|"
    r"(^|[-_ ])(db|database)([-_ ]|\d*$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Tick:
    """What is found at one tick."""

    at: datetime
    judged: tuple[Judged, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is in trouble."""
        return tuple(judged.finding for judged in self.judged if judged.suffers)

    @property
    def pressure(self) -> tuple[Finding, ...]:
        """High use that nothing suffers from."""
        return tuple(judged.finding for judged in self.judged if not judged.suffers)


@dataclass(frozen=True)
class Episode:
    """One service in trouble, from its first tick to its last."""

    service: str
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Finding:
        """The first of the worst findings, the one to show."""
        return min(self.findings, key=lambda f: (f.severity is not Severity.critical, f.ts))


@dataclass(frozen=True)
class Replay:
    """One run over recorded history.

    Args:
        recording: the samples.
        rules: thresholds for all and for some services, and what is muted.
        window: length of the slice that is judged at each tick.
        every: time between two ticks; they lie on multiples of it since the epoch.
    """

    recording: Recording
    rules: Rules
    window: timedelta
    every: timedelta

    @property
    def services(self) -> tuple[Service, ...]:
        """The recorded services; a recording tells their names alone."""
        return tuple(
            Service(id=name, name=name, kind=guess_kind(name)) for name in self.recording.services
        )

    def ticks(self) -> list[datetime]:
        """From the first multiple after the beginning to the first that is not before the end.

        Raises:
            ConfigError: there are too many.
        """
        if not len(self.recording.ts):
            return []
        every = round(self.every.total_seconds() * _NS)
        first = int(self.recording.ts[0]) // every + 1
        last = -(-int(self.recording.ts[-1]) // every)
        if last - first >= MAX_TICKS:
            begin, end = (moment(int(self.recording.ts[i])) for i in (0, -1))
            raise ConfigError(
                f"from {rfc3339(begin)} to {rfc3339(end)} there are {last - first + 1:,} ticks, more than "
                f"{MAX_TICKS:,}: take a larger --every, or a shorter history"
            )
        return [moment(number * every) for number in range(first, last + 1)]

    def run(self) -> Iterator[Tick]:
        """What is found at each tick, knowing nothing of what comes after it."""
        viewer: Viewer | None = None
        until = None
        for at in self.ticks():
            if viewer is None or until is None or at > until:
                until = at + _BLOCK
                viewer = self._viewer(at, until)
            yield Tick(at, judge(viewer.at(at), self.rules))

    def view(self, at: datetime) -> View:
        """What is seen at one tick."""
        return self._viewer(at, at).at(at)

    def _viewer(self, first: datetime, last: datetime) -> Viewer:
        earliest = first - HISTORY - 3 * self.window - LONGEST_STEP
        part = self.recording.between(max(0, nanoseconds(earliest)), nanoseconds(last))
        return Viewer(part, self.services, self.rules, self.window, has_baseline=True)


def build_replay_result(ticks: Iterable[Tick]) -> dict[str, Any]:
    """The result as `--json` writes it: troubles, and apart from them what is only pressure."""
    findings, pressure = [], []
    for tick in ticks:
        findings += [_entry(finding) for finding in tick.findings]
        pressure += [_entry(finding) for finding in tick.pressure]
    return {"findings": findings, "pressure": pressure}


def find_episodes(ticks: Iterable[Tick], every: timedelta) -> list[Episode]:
    """Findings of a service that are at most so many quiet ticks apart, in order of time."""
    gap = (QUIET_TICKS + 1) * every
    running: dict[str, list[Finding]] = {}
    done: list[Episode] = []
    for tick in ticks:
        for finding in tick.findings:
            known = running.get(finding.service)
            if known and finding.ts - known[-1].ts >= gap:
                done.append(Episode(finding.service, tuple(known)))
                known = None
            running[finding.service] = [*known, finding] if known else [finding]
    done += [Episode(service, tuple(known)) for service, known in running.items()]
    return sorted(done, key=lambda e: (e.findings[0].ts, e.service))


def guess_kind(name: str) -> ServiceKind:
    """What a service is for, by its name alone."""
    return ServiceKind.database if _DATABASE.search(name) else ServiceKind.web


def _entry(finding: Finding) -> dict[str, str]:
    return {
        "ts": rfc3339(finding.ts),
        "service": finding.service,
        "signal": finding.signal.value,
        "severity": finding.severity.value,
        "onset": rfc3339(finding.onset),
    }
