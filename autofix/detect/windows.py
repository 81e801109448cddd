"""Pure window arithmetic over frames, all services at once.

A window is widened first: one row per service and step, one column per measurement. A step that
was not measured has no row or a NaN, and stays out of every count; it is never read as zero.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from autofix.models import Window
from autofix.observe.frames import MEASUREMENTS, STATUS_CLASSES, tidy

SERVICE, TS = "service", "ts"
_QUIET_BEFORE = 0.25
"""A change of level is taken for the onset when the part before it had at most this share of the
rate after it; otherwise the trouble is as old as its first sample."""
_MIN_PART = 3
"""Samples that must lie before a change of level, and after it."""


def widen(samples: pd.DataFrame, window: Window) -> pd.DataFrame:
    """The samples of ``[start, end)`` by service and ts, one column per measurement.

    Rows may come in any order, twice, with NaN and with measurements that nobody knows.
    """
    clean = tidy(samples)
    inside = (clean["ts"] >= window.start) & (clean["ts"] < window.end)
    known = clean["measurement"].isin(MEASUREMENTS)
    return clean[inside & known].pivot_table(
        index=[SERVICE, TS], columns="measurement", values="value", aggfunc="max"
    )


def column(wide: pd.DataFrame, name: str) -> pd.Series:
    """One measurement; all NaN where nobody measured it."""
    return wide[name] if name in wide else pd.Series(np.nan, index=wide.index, dtype="float64")


def percent_of_limit(wide: pd.DataFrame, usage: str, limit: str) -> pd.Series:
    """Use in percent of the limit that stood nearest before, else nearest after.

    NaN without a use, without any limit, and where the limit is not positive.
    """
    limits = column(wide, limit)
    limits = limits.where(limits > 0)
    grouped = limits.groupby(level=SERVICE)
    known = grouped.ffill().fillna(grouped.bfill())
    return 100 * column(wide, usage) / known


def requests(wide: pd.DataFrame) -> pd.Series:
    """Requests per step over all status classes; NaN where no class was measured.

    Railway names only the classes that occurred: beside a class that was measured, a missing one
    is a true zero.
    """
    classes = [name for name in STATUS_CLASSES if name in wide]
    return wide[classes].sum(axis=1, min_count=1) if classes else column(wide, "HTTP_2XX")


def breach_share(values: pd.Series, level: float) -> pd.DataFrame:
    """By service: `share` of the measured samples at or above the level, and their number `n`."""
    measured = values.dropna()
    breaches = (measured >= level).groupby(level=SERVICE)
    return pd.DataFrame({"share": breaches.mean(), "n": breaches.size()})


def by_service(totals: pd.Series) -> dict[str, float]:
    """One number a service, as a plain mapping."""
    return {str(service): float(value) for service, value in totals.items()}


def of(values: pd.Series, service: str) -> pd.Series:
    """The values of one service, index ts."""
    return values.xs(service, level=SERVICE)


def held_for(values: pd.Series, share: float) -> pd.Series:
    """By service the typical value: the median, or what held for `share` of the samples if higher.

    At or above every level that is in breach for that share.
    """
    grouped = values.dropna().groupby(level=SERVICE)
    held = grouped.quantile(1 - share, interpolation="higher")
    return pd.concat([grouped.median(), held], axis=1).max(axis=1)


def onset(hits: pd.Series, weights: pd.Series, window: Window) -> datetime:
    """When the hits of one service began, as far as the window shows.

    The point where their rate changes most (the lowest point of the cumulated deviation from the
    mean), if it was clearly lower before; otherwise the first hit.

    Args:
        hits: per step, how many samples or requests were in trouble; index ts.
        weights: per step, of how many.
        window: where to fall back to when nothing hits.
    """
    hit, weight = hits.to_numpy(dtype="float64"), weights.to_numpy(dtype="float64")
    touched = np.flatnonzero(hit > 0)
    if not touched.size:
        return window.start
    begin = _change(hit, weight)
    first = touched[touched >= begin][0] if (touched >= begin).any() else touched[0]
    moment: datetime = pd.Timestamp(hits.index[first]).to_pydatetime(warn=False)
    return moment


def _change(hit: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> int:
    total = weight.sum()
    if total <= 0:
        return 0
    deviation = np.cumsum(hit - weight * hit.sum() / total)
    split = int(deviation.argmin()) + 1
    if split < _MIN_PART or split > len(hit) - _MIN_PART:
        return 0
    before, after = weight[:split].sum(), weight[split:].sum()
    if before <= 0 or after <= 0:
        return 0
    quiet = hit[:split].sum() / before <= _QUIET_BEFORE * hit[split:].sum() / after
    return split if quiet else 0
