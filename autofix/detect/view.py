"""What the detector sees at one tick: the window in fine steps, the day before in coarse ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np

from autofix.detect.course import Course
from autofix.detect.grid import Array, Flags, Grid, Recording, build_grid, nanoseconds
from autofix.models import Deployment, Service, Window
from autofix.parameters import Levels, Rules, Thresholds

WINDOW = 30
"""Fine steps in a window."""
FINE = 3 * WINDOW
"""Fine steps that are looked at: the window, and two windows before it for what comes and goes."""
LONGEST_STEP = timedelta(minutes=5)
HISTORY = timedelta(hours=24)
KNOWN = timedelta(hours=1)
"""A service's own normal is known from so much history on."""
_COARSE_IN_WINDOW = 6
_LIMITS = ("CPU_LIMIT", "MEMORY_LIMIT_GB", "DISK_LIMIT_GB")


@dataclass(frozen=True)
class View:
    """Everything that is judged at one tick; nothing in it is from after `window.end`."""

    window: Window
    services: tuple[Service, ...]
    """One a row of every array."""
    thresholds: tuple[Thresholds, ...]
    """One a service."""
    fine: Course
    """The last `FINE` steps before the tick."""
    coarse: Course
    """Whole steps before the tick, back to a day before the window."""
    has_baseline: bool
    """Whether it was tried to read what is normal; else fixed levels alone decide."""
    deployments: Mapping[str, tuple[Deployment, ...]]
    """By service id, newest first."""
    counted: frozenset[str] = frozenset()
    """Ids of services all of whose requests were counted: without a sample there were none."""

    def levels(self, name: str) -> tuple[Array, Array]:
        """Warning and critical levels of each service, as columns."""
        found: list[Levels] = [getattr(t, name) for t in self.thresholds]
        return (
            np.array([level.warning for level in found], dtype="float64").reshape(-1, 1),
            np.array([level.critical for level in found], dtype="float64").reshape(-1, 1),
        )

    def number(self, name: str) -> Array:
        """One number of each service, as a column."""
        found = [getattr(t, name) for t in self.thresholds]
        return np.array(found, dtype="float64").reshape(-1, 1)

    @cached_property
    def past(self) -> int:
        """Coarse steps that lie wholly before the window."""
        whole = (nanoseconds(self.window.start) - self.coarse.grid.start) // self.coarse.grid.step
        return int(np.clip(whole, 0, self.coarse.length))

    @cached_property
    def known(self) -> Flags:
        """Of which services enough history was measured to say what is normal."""
        measured = self.coarse.measured[:, : self.past] * self.coarse.stride[:, : self.past]
        enough = KNOWN / timedelta(minutes=self.coarse.step_minutes)
        known: Flags = measured.sum(axis=1) >= enough
        return known

    def fine_time(self, step: float) -> int:
        """Nanoseconds at which a fine step begins."""
        return self.fine.grid.start + int(step * self.fine.grid.step)

    def coarse_time(self, step: float) -> int:
        """Nanoseconds at which a coarse step begins."""
        return self.coarse.grid.start + int(step * self.coarse.grid.step)


def coarse_step(length: timedelta) -> int:
    """Nanoseconds of a coarse step for windows of this length."""
    step = min(LONGEST_STEP, length / _COARSE_IN_WINDOW)
    return max(1, round(step.total_seconds() * 1_000)) * 1_000_000


@dataclass(frozen=True)
class Viewer:
    """Gives the views of one recording; the coarse grid of it all is made once.

    Coarse steps lie on a lattice that begins at the epoch and are read only when they are over, so
    that a view depends on nothing after its tick.
    """

    recording: Recording
    services: tuple[Service, ...]
    rules: Rules
    length: timedelta
    """Of a window."""
    has_baseline: bool = False
    deployments: Mapping[str, tuple[Deployment, ...]] | None = None
    counted: frozenset[str] = frozenset()

    @cached_property
    def _coarse(self) -> Grid:
        step = coarse_step(self.length)
        ts = self.recording.ts
        first = int(ts[0]) // step if len(ts) else 0
        last = int(ts[-1]) // step if len(ts) else 0
        return build_grid(self.recording, first * step, step, last - first + 1)

    @cached_property
    def _thresholds(self) -> tuple[Thresholds, ...]:
        return tuple(self.rules.of(service.name) for service in self.services)

    def at(self, end: datetime) -> View:
        """The view at the tick `end`."""
        window, now = Window.ending(end, self.length), nanoseconds(end)
        coarse = Course(self._coarse_until(now))
        step = nanoseconds(end) - nanoseconds(window.start)
        fine_step = max(1, step // WINDOW)
        start = now - FINE * fine_step
        fine = build_grid(self.recording, start, fine_step, FINE)
        return View(
            window=window,
            services=self.services,
            thresholds=self._thresholds,
            fine=Course(fine, _carry(coarse, start)),
            coarse=coarse,
            has_baseline=self.has_baseline,
            deployments=self.deployments or {},
            counted=self.counted,
        )

    def _coarse_until(self, now: int) -> Grid:
        grid = self._coarse
        span = round((HISTORY + self.length).total_seconds() * 1_000_000_000)
        last = int(np.clip((now - grid.start) // grid.step, 0, grid.shape[1]))
        # what is over, and of what lies before the data, nothing
        first = int(np.clip((now - span - grid.start) // grid.step, 0, last))
        return grid.steps(first, last)


def _carry(coarse: Course, start: int) -> dict[str, Array]:
    """The limits that stood last before a moment."""
    at = int(np.clip((start - coarse.grid.start) // coarse.grid.step, 0, coarse.length)) - 1
    if at < 0:
        return {}
    return {name: coarse.limit(name)[:, at] for name in _LIMITS if name in coarse.grid.values}


def group_deployments(deployments: Sequence[Deployment]) -> dict[str, tuple[Deployment, ...]]:
    """By service id, newest first."""
    groups: dict[str, list[Deployment]] = {}
    for deployment in sorted(deployments, key=lambda d: d.created_at, reverse=True):
        groups.setdefault(deployment.service_id, []).append(deployment)
    return {service: tuple(found) for service, found in groups.items()}
