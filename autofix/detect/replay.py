"""The detector over recorded history: what it would have said at each tick."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from autofix.detect.findings import Judged, judge
from autofix.detect.grid import Recording, moment
from autofix.detect.view import Viewer
from autofix.models import Service, ServiceKind
from autofix.parameters import Rules

_DATABASE = re.compile(
    r"postgres|postgis|timescale|pgvector|mysql|mariadb|mongo|redis|valkey|memcached|clickhouse|"
    r"(^|[-_ ])(db|database)([-_ ]|\d*$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Replay:
    """One run over recorded history."""

    recording: Recording
    rules: Rules
    window: timedelta
    every: timedelta

    @property
    def services(self) -> tuple[Service, ...]:
        """The recorded services; a recording tells their names alone."""
        return tuple(
            Service(id=name, name=name, kind=_guess_kind(name)) for name in self.recording.services
        )

    def ticks(self) -> Iterator[datetime]:
        """From the first multiple of `every` after the beginning to the first after the end."""
        if not len(self.recording.ts):
            return
        every = round(self.every.total_seconds() * 1_000_000_000)
        first, last = int(self.recording.ts[0]), int(self.recording.ts[-1])
        for number in range(first // every + 1, -(-last // every) + 1):
            yield moment(number * every)

    def run(self) -> Iterator[tuple[datetime, tuple[Judged, ...]]]:
        """What is found at each tick, knowing nothing of what comes after it."""
        viewer = Viewer(self.recording, self.services, self.rules, self.window, has_baseline=True)
        for tick in self.ticks():
            yield tick, judge(viewer.at(tick), self.rules)


def _guess_kind(name: str) -> ServiceKind:
    return ServiceKind.database if _DATABASE.search(name) else ServiceKind.web
