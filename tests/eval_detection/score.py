"""From findings at ticks to numbers: incidents found and missed, false ones, delays."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.eval_detection.day import Truth

QUIET_MINUTES = 30.0
"""Findings further apart than this are two incidents: three ticks between them were quiet."""
AFTERWARDS = 60.0
"""Minutes after its end in which a trouble may still be named."""


@dataclass(frozen=True)
class Said:
    """One finding: minute of its tick, service, signal, onset."""

    minute: float
    service: str
    signal: str
    onset: float


@dataclass(frozen=True)
class Outcome:
    """What was said of one service's day."""

    service: str
    truth: Truth
    found: float
    """Minutes from the clock to the first finding; nan for never."""
    signal_right: bool
    episodes: int
    false: tuple[float, ...]
    """Minutes at which incidents began that are none."""
    false_signals: tuple[str, ...]
    onset_error: float


def judge_day(
    service: str, truth: Truth, said: Sequence[Said], quiet: float = QUIET_MINUTES
) -> Outcome:
    """Compare what was said of a service with what was true of it."""
    incidents = _incidents(said, quiet)
    if not truth.signals:
        begun = tuple(i[0].minute for i in incidents)
        names = tuple("+".join(sorted({s.signal for s in i})) for i in incidents)
        return Outcome(
            service=service,
            truth=truth,
            found=math.nan,
            signal_right=False,
            episodes=0,
            false=begun,
            false_signals=names,
            onset_error=math.nan,
        )
    last = truth.ends + AFTERWARDS
    right = [i for i in incidents if i[-1].minute >= truth.begins and i[0].minute <= last]
    # what was named before anything was wrong is false, also if the trouble then meets it
    wrong = [i for i in incidents if i not in right or i[0].minute < truth.begins]
    inside = [s for i in right for s in i if truth.begins <= s.minute <= last]
    first = min((s.minute for s in inside), default=math.nan)
    # the signal counts that was named in the first half hour
    early = [s for s in inside if s.minute <= first + 30]
    onset = min((s.onset for s in early), default=math.nan)
    return Outcome(
        service=service,
        truth=truth,
        found=math.nan if math.isnan(first) else max(0.0, first - truth.clock),
        signal_right=any(s.signal in truth.signals for s in early),
        episodes=len(right),
        false=tuple(i[0].minute for i in wrong),
        false_signals=tuple("+".join(sorted({s.signal for s in i})) for i in wrong),
        onset_error=onset - truth.begins,
    )


def _incidents(said: Sequence[Said], quiet: float) -> list[list[Said]]:
    incidents: list[list[Said]] = []
    for one in sorted(said, key=lambda s: s.minute):
        if incidents and one.minute - incidents[-1][-1].minute <= quiet:
            incidents[-1].append(one)
        else:
            incidents.append([one])
    return incidents


@dataclass(frozen=True)
class Score:
    """The numbers of many days."""

    troubles: int
    quiet_days: int
    recall30: float
    recall60: float
    precision: float
    false_per_quiet_day: float
    median_delay: float
    episodes: float
    signal_right: float

    @property
    def f1(self) -> float:
        """Of precision and recall within an hour."""
        total = self.precision + self.recall60
        return 2 * self.precision * self.recall60 / total if total else 0.0

    def rows(self) -> dict[str, str]:
        """The numbers as they are told."""
        return {
            "incidents there were": f"{self.troubles:,}",
            "recall within 30 minutes": f"{self.recall30:.3f}",
            "recall within 60 minutes": f"{self.recall60:.3f}",
            "precision": f"{self.precision:.3f}",
            "F1": f"{self.f1:.3f}",
            "quiet service-days": f"{self.quiet_days:,}",
            "false incidents per quiet service-day": f"{self.false_per_quiet_day:.3f}",
            "median delay, minutes": f"{self.median_delay:.1f}",
            "episodes per incident found": f"{self.episodes:.2f}",
            "right signal": f"{self.signal_right:.3f}",
        }

    @property
    def missed(self) -> list[str]:
        """Lines that are promised and not reached."""
        lines = {
            f"F1 {self.f1:.3f}, at least 0.95": self.f1 >= 0.95,
            f"recall within 60 minutes {self.recall60:.3f}, at least 0.95": self.recall60 >= 0.95,
            f"{self.false_per_quiet_day:.3f} false incidents per quiet service-day, at most 0.05": (
                self.false_per_quiet_day <= 0.05
            ),
            f"median delay {self.median_delay:.1f} minutes, at most 15": self.median_delay <= 15,
            f"{self.episodes:.2f} episodes per incident, at most 1.1": self.episodes <= 1.1,
        }
        return [line for line, reached in lines.items() if not reached]


def summarise(outcomes: Iterable[Outcome]) -> Score:
    """One score of all days."""
    outcomes = list(outcomes)
    sick = [o for o in outcomes if o.truth.signals]
    quiet = [o for o in outcomes if not o.truth.signals]
    found = [o for o in sick if o.found <= 60]
    ever = [o for o in sick if not math.isnan(o.found)]
    false = sum(len(o.false) for o in outcomes)
    return Score(
        troubles=len(sick),
        quiet_days=len(quiet),
        recall30=_share([o.found <= 30 for o in sick]),
        recall60=_share([o.found <= 60 for o in sick]),
        precision=len(found) / max(1, len(found) + false),
        false_per_quiet_day=sum(len(o.false) for o in quiet) / max(1, len(quiet)),
        median_delay=float(np.median([o.found for o in ever])) if ever else math.nan,
        episodes=float(np.mean([o.episodes for o in ever])) if ever else math.nan,
        signal_right=_share([o.signal_right for o in ever]),
    )


def by_kind(outcomes: Iterable[Outcome]) -> Mapping[str, list[Outcome]]:
    """The outcomes of each kind of day."""
    kinds: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.truth.kind].append(outcome)
    return kinds


def _share(flags: list[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan
