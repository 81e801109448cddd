"""Sustained breaches: what makes a signal enter trouble, and what lets it leave.

A breach is looked for over several lengths of time, so that strong trouble is seen early and weak
trouble with certainty, and at several ends up to two windows back, so that what comes and goes
stays one trouble. Nothing is remembered for it: the same samples always give the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autofix.detect.course import stride_of
from autofix.detect.grid import Array, Flags, Ints
from autofix.detect.view import FINE, WINDOW

FULL, LONG = WINDOW, 2 * WINDOW
SHORT = (8 * WINDOW // 30, WINDOW // 3, WINDOW // 2)
"""Lengths in fine steps; the short ones are for samples closer together and further apart."""
SHORTEST = WINDOW // 5
"""For requests that fail at the critical level, of samples that are close together."""
SHORT_SHARE = 0.85
"""Share of the samples that must be in breach over the short length."""
ENDS = np.arange(FINE, WINDOW - 1, -(WINDOW // 6))
"""Where such a length may end, in fine steps; the tick first."""
_CALM = 2 * WINDOW // 3
"""Fine steps that must be calm before a trouble is over."""
_CALM_SHARE = 0.1
_MIN_SAMPLES = 3
_COVERED = 0.4
"""Share of a length that must have been measured."""
_COARSE = 3.0
"""Fine steps of one sample from which on it says as much as several."""
_GROUPS = (4, 10)
"""Into how many parts a length is cut, so that each would hold some failures at the level."""
_PER_GROUP = 2.0
_GROUP_LEVEL = 0.6
"""Share of a level that a part must reach."""
_PART_SHARE, _LONG_SHARE = 0.75, 0.6
"""Shares of the parts that must reach it, over the shorter and the longer lengths."""
_BURST = WINDOW // 10
"""Fine steps that a burst lasts."""
_BURST_LEVEL = 5.0
"""Multiple of a level that each of several bursts must reach."""
_RECUR = 4
_REST_LEVEL = 0.8
"""Share of a level that is left without a burst."""
_SURPRISE = 3.5
"""Standard deviations above what is nothing to speak of."""
_MIN_HITS = 4


@dataclass(frozen=True)
class Entries:
    """At which ends which lengths were in breach; services × ends each."""

    found: tuple[tuple[int, Flags], ...]

    @property
    def entered(self) -> Flags:
        """Per service whether any was."""
        everything: Flags = np.any([flags.any(axis=1) for _, flags in self.found], axis=0)
        return everything

    def also(self, length: int, flags: Flags) -> Entries:
        """These, and the breaches of one more kind."""
        return Entries((*self.found, (length, flags)))

    def newest(self, row: int) -> slice:
        """The fine steps of a service's latest breach; the longest where several end there."""
        ends = [
            (int(np.argmax(flags[row])), -length)
            for length, flags in self.found
            if flags[row].any()
        ]
        place, length = min(ends)
        return slice(int(ENDS[place]) + length, int(ENDS[place]))


def in_rows(flags: Flags, rows: Ints, number: int) -> Flags:
    """Flags of some services as those of all; the others have none."""
    everywhere = np.zeros((number, flags.shape[1]), dtype=bool)
    everywhere[rows] = flags
    return everywhere


def window_sums(values: Array | Flags, length: int) -> Array:
    """Per service and end the sum over the fine steps before it; NaN where that is not all there.

    NaN counts as nothing.
    """
    totals = np.cumsum(np.nan_to_num(values.astype("float64")), axis=1)
    totals = np.concatenate([np.zeros((len(totals), 1)), totals], axis=1)
    starts = ENDS - length
    sums = totals[:, ENDS] - totals[:, np.maximum(starts, 0)]
    return np.where(starts >= 0, sums, np.nan)


def sustained(
    values: Array, level: Array, share: Array | float, length: int, least: int = 3
) -> Flags:
    """Per service and end, whether a level was held for a share of what was measured.

    Args:
        values: services × fine steps.
        level: of each service.
        share: of each service, or of all.
        length: fine steps.
        least: samples that are enough where each is of several steps.
    """
    measured = ~np.isnan(values)
    weight = np.where(measured, stride_of(measured), 0.0)
    seen, number = window_sums(weight, length), window_sums(measured, length)
    hits = window_sums(np.where(values >= level, weight, 0.0), length)
    enough = (number >= _MIN_SAMPLES) | ((number >= least) & (seen >= _COARSE * number))
    return enough & (seen >= _COVERED * length) & (hits >= share * seen)


def failing(
    hits: Array, requests: Array, level: Array, base: Array, least: Array, length: int
) -> Flags:
    """Per service and end, whether enough requests had a rate at the level all along.

    Args:
        hits: requests of one status class per fine step.
        requests: all requests per fine step.
        level: percent.
        base: percent that is nothing to speak of; the rate must be clearly above it.
        least: requests in a window that say something, and as many as that is in the length.
        length: fine steps. A burst is no rate: most parts must fail, and what is left without
            the worst minutes must still be at the level.
    """
    number, total = window_sums(hits, length), window_sums(requests, length)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = 100 * number / total
    found: Flags = enough_requests(requests, least, length)
    found &= (number >= _MIN_HITS) & (rate >= level)
    found &= surprise(number, total * base / 100) >= _SURPRISE
    rows, places = np.nonzero(found)
    if rows.size:
        steps = (ENDS[places] - length)[:, None] + np.arange(length)
        span = rows[:, None], steps
        found[rows, places] = _all_along(
            np.nan_to_num(hits[span]), np.nan_to_num(requests[span]), level[rows, 0]
        )
    return found


def recurring(hits: Array, requests: Array, level: Array, base: Array, least: Array) -> Flags:
    """Per service and end, whether bursts came again and again within two windows.

    A crash loop makes them, apart from each other; what is asked of the rest is as in `failing`.
    """
    burst = (hits >= _MIN_SAMPLES) & (100 * hits >= _BURST_LEVEL * level * requests)
    begins = burst.copy()
    begins[:, 1:] &= ~burst[:, :-1]
    begins[:, 2:] &= ~burst[:, :-2]
    number, total = window_sums(hits, LONG), window_sums(requests, LONG)
    found: Flags = enough_requests(requests, least, LONG)
    found &= (window_sums(begins, LONG) >= _RECUR) & (100 * number >= level * total)
    found &= surprise(number, total * base / 100) >= _SURPRISE
    return found


def enough_requests(requests: Array, least: Array, length: int) -> Flags:
    """Per service and end, whether there were enough requests in a window, and all along.

    Args:
        requests: services × fine steps.
        least: requests in a window that say something.
        length: fine steps; of a shorter length its part of them is asked.
    """
    whole = window_sums(requests, max(length, FULL)) >= least
    part: Flags = window_sums(requests, length) >= least * min(1.0, length / FULL)
    return whole & part


def _all_along(hits: Array, requests: Array, level: Array) -> Flags:
    """Which stretches have a rate that is not that of a burst; a row each."""
    length = hits.shape[1]
    most = _most_parts_fail(hits, requests, level)
    failed, total, left = without_burst(hits, requests)
    is_dense = 2 * (requests > 0).sum(axis=1) >= length
    rest = 100 * failed >= _REST_LEVEL * level * total
    rest &= (level * total > 0) & (left >= np.where(is_dense, _MIN_SAMPLES, _MIN_SAMPLES - 1))
    everywhere: Flags = most & rest
    return everywhere


def _most_parts_fail(hits: Array, requests: Array, level: Array) -> Flags:
    length = hits.shape[1]
    share = _LONG_SHARE if length >= FULL else _PART_SHARE
    wanted = requests.sum(axis=1) * level / 100 / _PER_GROUP
    number = np.clip(wanted, *_GROUPS).astype("int64")
    found = np.zeros(len(hits), dtype=bool)
    for parts in np.unique(number):
        chosen = number == parts
        # as even as can be, the longer ones first
        starts = [int(g[0]) for g in np.array_split(np.arange(length), parts) if g.size]
        failed = np.add.reduceat(hits[chosen], starts, axis=1)
        total = np.add.reduceat(requests[chosen], starts, axis=1)
        busy = total > 0
        reached = busy & (100 * failed >= _GROUP_LEVEL * level[chosen, None] * total)
        least = share * np.maximum(busy.sum(axis=1), _MIN_SAMPLES)
        found[chosen] = reached.sum(axis=1) >= least
    return found


def without_burst(hits: Array, requests: Array) -> tuple[Array, Array, Ints]:
    """Failed and all requests without the worst minutes, and of how many samples they are.

    One of each for every row.
    """
    length = hits.shape[1]
    is_sample = requests > 0
    samples = is_sample.sum(axis=1)
    # a burst may lie across two samples
    worst = np.ceil(_BURST * samples / length).astype("int64") + (2 * samples < length)
    order = np.argsort(np.where(is_sample, hits, -1.0), axis=1, kind="stable")
    place = np.arange(length)
    rest = (place >= (length - samples)[:, None]) & (place < (length - worst)[:, None])

    def kept(values: Array) -> Array:
        total: Array = np.where(rest, np.take_along_axis(values, order, axis=1), 0.0).sum(axis=1)
        return total

    return kept(hits), kept(requests), np.maximum(samples - worst, 0)


def surprise(number: Array, expected: Array) -> Array:
    """By how many standard deviations a count is above the expected one, for counts of any size."""
    deviation: Array = 2 * (np.sqrt(number + 0.375) - np.sqrt(expected + 0.375))
    return deviation


def calm(values: Array, level: Array) -> Flags:
    """Per service, whether the last steps were measured and next to none is at the level."""
    recent = values[:, -_CALM:]
    number = (~np.isnan(recent)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        hits = (recent >= level).sum(axis=1)
    is_calm: Flags = (number > 1) & (hits <= _CALM_SHARE * number)
    return is_calm


def calm_rate(hits: Array, requests: Array, level: Array) -> Flags:
    """Per service, whether the rate over the last steps is below a level in percent."""
    number = np.nansum(hits[:, -_CALM:], axis=1)
    measured = (~np.isnan(requests[:, -_CALM:])).sum(axis=1)
    total = np.nansum(requests[:, -_CALM:], axis=1)
    is_calm: Flags = (measured > 1) & (100 * number <= level[:, 0] * total)
    return is_calm
