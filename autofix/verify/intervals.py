"""A number over a window with its interval, from the steps it was measured in.

Neighbouring steps of a metric are alike, so steps are put into few long blocks and the blocks are
taken as the observations: intervals from single steps would promise too much. How many blocks and
which confidence was settled by simulation, so that two windows of a service that did not change
differ surely in at most 5 of 100 cases, also where its noise lasts for minutes.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.975
BLOCKS = 5
"""A window is cut into at most so many blocks."""
LEAST_BLOCKS = 4
"""Fewer say nothing about how much a signal varies."""
_SECONDS = 3_600.0

Numbers = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A number and the ends of its interval."""

    value: float
    low: float
    high: float
    samples: int
    """Steps it was measured in."""


def share(hits: Numbers, weights: Numbers) -> Estimate | None:
    """Hits per weight in percent with its interval: Wilson's, on fewer requests where hits cluster.

    Args:
        hits: per step, how many requests were hit.
        weights: per step, out of how many.
    """
    total = float(weights.sum())
    if total <= 0:
        return None
    rate = float(hits.sum()) / total
    count, quantile = _effective(hits, weights, rate)
    low, high = _wilson(rate, count, quantile)
    return Estimate(100 * rate, 100 * low, 100 * high, len(hits))


def frequency(hits: Numbers, seconds: float) -> Estimate | None:
    """Events per hour with Garwood's interval, widened where they come in bursts.

    Args:
        hits: per step, how many.
        seconds: length of one step.
    """
    if not len(hits):
        return None
    hours = len(hits) * seconds / _SECONDS
    total = float(hits.sum())
    blocks = np.array([block.sum() for block in _cut(hits)])
    spread = blocks.var(ddof=1) / blocks.mean() if len(blocks) > 1 and total else 1.0
    factor = max(1.0, float(spread))
    scaled, tail = total / factor, (1 - CONFIDENCE) / 2
    low = _chi2(tail, 2 * scaled) / 2 if scaled else 0.0
    high = _chi2(1 - tail, 2 * scaled + 2) / 2
    return Estimate(total / hours, factor * low / hours, factor * high / hours, len(hits))


def typical(values: Numbers, *, log: bool) -> Estimate | None:
    """The mean over blocks with Student's interval; of logarithms for what is skewed."""
    clean = values[np.isfinite(values) & (values > 0 if log else True)]
    if len(clean) < LEAST_BLOCKS:
        return None
    scaled = np.log(clean) if log else clean
    means = np.array([block.mean() for block in _cut(scaled)])
    centre, half = float(means.mean()), _half(means)
    back = math.exp if log else float
    return Estimate(back(centre), back(centre - half), back(centre + half), len(clean))


def slope(values: Numbers, hours: Numbers) -> Estimate | None:
    """Rise per hour by Theil and Sen, with the interval of their ranks over blocks."""
    clean = np.isfinite(values)
    if clean.sum() < LEAST_BLOCKS:
        return None
    y = np.array([block.mean() for block in _cut(values[clean])])
    x = np.array([block.mean() for block in _cut(hours[clean])])
    from scipy import stats  # noqa: PLC0415 - see `_chi2`

    rise, _, low, high = stats.theilslopes(y, x, CONFIDENCE)
    return Estimate(float(rise), float(low), float(high), int(clean.sum()))


def _chi2(share: float, freedom: float) -> float:
    """The quantile of the chi-squared distribution.

    SciPy takes up to a second to import, every flow's process imports this module, and few verify.
    """
    from scipy import special  # noqa: PLC0415

    return float(special.chdtri(freedom, 1 - share))


def _student(share: float, freedom: int) -> float:
    """The quantile of Student's distribution."""
    from scipy import special  # noqa: PLC0415 - see `_chi2`

    return float(special.stdtrit(freedom, share))


def _cut(values: Numbers) -> list[Numbers]:
    return np.array_split(values, min(BLOCKS, len(values)))


def _half(means: Numbers) -> float:
    """Half the width of Student's interval of a mean."""
    error = float(means.std(ddof=1)) / math.sqrt(len(means))
    return error * _student(0.5 + CONFIDENCE / 2, len(means) - 1)


def _effective(hits: Numbers, weights: Numbers, rate: float) -> tuple[float, float]:
    """How many independent requests these are worth, and the quantile that goes with it."""
    total = float(weights.sum())
    normal = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    x = np.array([block.sum() for block in _cut(hits)])
    n = np.array([block.sum() for block in _cut(weights)])
    if not 0 < rate < 1 or len(x) < LEAST_BLOCKS:
        return total, normal
    blocks = len(x)
    between = float(((x - rate * n) ** 2).sum()) * blocks / (blocks - 1) / total**2
    factor = max(1.0, between / (rate * (1 - rate) / total))
    student = _student(0.5 + CONFIDENCE / 2, blocks - 1)
    return total / factor, student if factor > 1 else normal


def _wilson(rate: float, count: float, z: float) -> tuple[float, float]:
    middle = rate + z**2 / (2 * count)
    half = z * math.sqrt(rate * (1 - rate) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
