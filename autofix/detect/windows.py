"""Pure window arithmetic over frames, all services at once.

A window is widened first: one row per service and step, one column per measurement. A step that
was not measured has no row or a NaN, and stays out of every count; it is never read as zero.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from autofix.models import Window
from autofix.observe.frames import MEASUREMENTS, STATUS_CLASSES, tidy

SERVICE, TS = "service", "ts"


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
