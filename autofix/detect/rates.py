"""Failing requests: server errors, and client errors that the service itself makes."""

from __future__ import annotations

import numpy as np

from autofix.detect.clients import takes_from_answered
from autofix.detect.entries import (
    FULL,
    LONG,
    SHORT,
    SHORTEST,
    Entries,
    calm_rate,
    failing,
    in_rows,
    recurring,
    surprise,
    window_sums,
    without_burst,
)
from autofix.detect.grid import Array, Flags, Ints
from autofix.detect.hits import Hit
from autofix.detect.normal import look_before
from autofix.detect.onset import onset_of
from autofix.detect.view import View
from autofix.models import Pattern, Severity, Signal

_NOTHING = 0.5
"""Share of the warning level that is nothing to speak of: a rate must be clearly above it."""
_EXIT = 0.5
"""Share of the warning level below which a rate is calm."""
_LOW_TRAFFIC = 3
"""Multiple of the least number of requests up to which two windows are looked at."""
_LONG_LEVEL = 10.0
"""Multiple of the warning level that two windows of low traffic must have."""
_STEP_LEVEL = 0.5
"""Share of the warning level from which on a rate far above its own normal counts."""
_STEP_SURPRISE = 6.0
_STEP_REQUESTS = 1_000
_ROUNDING = 1 - 1e-9


def judge_5xx(view: View) -> list[Hit]:
    """Services whose requests fail."""
    rates = _Rates(view, 5)
    if not rates.measured:
        return []
    at_level = rates.open_warning | rates.open_critical
    hits = [rates.hit(row) for row in np.flatnonzero(at_level).tolist()]
    steps = [_step(rates, row) for row in np.flatnonzero(rates.open_below & ~at_level).tolist()]
    return [*hits, *(step for step in steps if step)]


def judge_4xx(view: View) -> list[Hit]:
    """Services that turn away requests which they used to answer.

    What scanners ask for fails beside the usual traffic, and an API that first answers 401 does so
    all day: neither takes anything from the requests that are answered.
    """
    rates = _Rates(view, 4)
    if not rates.measured:
        return []
    rows = np.flatnonzero(rates.open_warning | rates.open_critical).tolist()
    return [
        rates.hit(row)
        for row in rows
        if not view.has_baseline
        or takes_from_answered(view, row, rates.coarse_share[row], _present(rates, row, FULL))
    ]


class _Rates:
    """One status class in percent of all requests, and where it is in breach."""

    def __init__(self, view: View, digit: int) -> None:
        """Judge the class whose codes begin with this digit."""
        self.view, self.digit = view, digit
        self.name = f"http_{digit}xx_percent"
        self.warning, self.critical = view.levels(self.name)
        self.requests, self.number = view.fine.requests, view.fine.of_class(digit)
        self.measured = not np.isnan(self.requests).all()
        is_calm = calm_rate(self.number, self.requests, _EXIT * self.warning)
        lasting, fierce = self._bursts(self.warning), self._bursts(self.critical)
        self.over_warning = self._entries(self.warning).also(LONG, lasting)
        self.over_critical = self._entries(self.critical, SHORTEST).also(LONG, fierce)
        self.over_below = self._entries(_STEP_LEVEL * self.warning)
        # calm between two bursts is no end of them
        self.open_warning: Flags = self.over_warning.entered & ~is_calm | lasting.any(axis=1)
        self.open_critical: Flags = self.over_critical.entered & ~is_calm | fierce.any(axis=1)
        self.open_below: Flags = self.over_below.entered

    @property
    def coarse_share(self) -> Array:
        """Percent per coarse step."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Array = 100 * self.view.coarse.of_class(self.digit) / self.view.coarse.requests
        return share

    @property
    def fine_share(self) -> Array:
        """Percent per fine step."""
        with np.errstate(invalid="ignore", divide="ignore"):
            share: Array = 100 * self.number / self.requests
        return share

    def onset(self, row: int, level: float) -> int:
        """When the present run at a level began."""
        return onset_of(self.view, self.fine_share[row], self.coarse_share[row], level)

    def _entries(self, level: Array, *shorter: int) -> Entries:
        least, base = self.view.number("min_requests"), _NOTHING * np.minimum(level, self.warning)
        rows = self._reaching(level)
        requests = self.requests[rows]
        found = []
        for length in (*shorter, *SHORT, FULL, LONG):
            floor = np.maximum(level, _LONG_LEVEL * self.warning) if length == LONG else level
            flags = failing(
                self.number[rows], requests, floor[rows], base[rows], least[rows], length
            )
            if length == LONG:
                flags &= window_sums(requests, length) < _LOW_TRAFFIC * least[rows]
            found.append((length, in_rows(flags, rows, len(level))))
        return Entries(tuple(found))

    def _bursts(self, level: Array) -> Flags:
        """Per service and end, whether there were bursts again and again."""
        rows = self._reaching(level)
        least, base = self.view.number("min_requests"), _NOTHING * np.minimum(level, self.warning)
        flags = recurring(
            self.number[rows], self.requests[rows], level[rows], base[rows], least[rows]
        )
        return in_rows(flags, rows, len(level))

    def _reaching(self, level: Array) -> Ints:
        """The services that are at the level in some step; no other is at it over a length."""
        at_level = (self.number > 0) & (100 * self.number >= _ROUNDING * level * self.requests)
        return np.flatnonzero(at_level.any(axis=1))

    def hit(self, row: int) -> Hit:
        """The breach of one service."""
        is_critical = bool(self.open_critical[row])
        entries = self.over_critical if is_critical else self.over_warning
        level = float((self.critical if is_critical else self.warning)[row, 0])
        severity = Severity.critical if is_critical else Severity.warning
        return self.build(row, entries, level, severity, Pattern.level)

    def _from_first(self, row: int, span: slice, level: float) -> slice:
        """The stretch without the healthy steps that it begins with."""
        failing = np.flatnonzero(self.fine_share[row, span] >= _NOTHING * level)
        return slice(span.start + int(failing[0]), span.stop) if failing.size else span

    def build(
        self, row: int, entries: Entries, threshold: float, severity: Severity, pattern: Pattern
    ) -> Hit:
        """A hit with the rate over the latest breach."""
        span = self._from_first(row, entries.newest(row), threshold)
        requests = float(np.nansum(self.requests[row, span]))
        value = 100 * float(np.nansum(self.number[row, span])) / requests
        before = look_before(self.view, self.coarse_share[row], value / 2)
        return Hit(
            row=row,
            signal=Signal.http_5xx if self.digit == 5 else Signal.http_4xx,  # noqa: PLR2004
            severity=severity,
            pattern=pattern,
            value=value,
            threshold=threshold,
            unit="%",
            what=f"{self.digit}xx",
            onset=self.onset(row, min(value, threshold) / 2),
            minutes=(span.stop - span.start) * self.view.fine.step_minutes,
            requests=requests,
            baseline=_mean_share(self, row, before.start) if before.is_known else None,
        )


def _mean_share(rates: _Rates, row: int, end: int) -> float:
    number = float(np.nansum(rates.view.coarse.of_class(rates.digit)[row, :end]))
    requests = float(np.nansum(rates.view.coarse.requests[row, :end]))
    return 100 * number / requests if requests else 0.0


def _step(rates: _Rates, row: int) -> Hit | None:
    """A rate below the warning level that is many times what the service is used to."""
    entries, factor = rates.over_below, rates.view.thresholds[row].step_factor
    span = entries.newest(row)
    failed, total, _ = without_burst(
        np.nan_to_num(rates.number[None, row, span]), np.nan_to_num(rates.requests[None, row, span])
    )
    number, requests = float(failed[0]), float(total[0])
    if not requests:
        return None
    value = 100 * number / requests
    before = look_before(rates.view, rates.coarse_share[row], value / 3)
    seen = float(np.nansum(rates.view.coarse.requests[row, : before.start]))
    if not before.is_known or seen < _STEP_REQUESTS:
        return None
    normal = _mean_share(rates, row, before.start)
    present = _present(rates, row, SHORT[0])
    clear = surprise(np.array(number), np.array(requests * 2 * normal / 100)) >= _STEP_SURPRISE
    if not clear or min(value, present) < 2 * factor * max(normal, 0.01):
        return None
    return rates.build(row, entries, 2 * factor * normal, Severity.warning, Pattern.step)


def _present(rates: _Rates, row: int, length: int) -> float:
    """Percent over the last steps."""
    requests = float(np.nansum(rates.requests[row, -length:]))
    return 100 * float(np.nansum(rates.number[row, -length:])) / requests if requests else 0.0
