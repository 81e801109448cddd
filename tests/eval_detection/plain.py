"""The rule to beat: a level on the window's average, or on its maximum, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from tests.eval_detection.day import START
from tests.eval_detection.score import Said

LEVELS = {
    "cpu": 70.0,
    "memory": 70.0,
    "disk": 80.0,
    "http_5xx": 1.0,
    "http_4xx": 10.0,
    "latency": 1000.0,
}
"""The warning levels that the detector begins with, too."""
_CLASSES = ["HTTP_2XX", "HTTP_3XX", "HTTP_4XX", "HTTP_5XX"]


def find_plainly(
    samples: pd.DataFrame, ticks: Sequence[datetime], window: timedelta, statistic: str
) -> Iterator[Said]:
    """What a level on the `mean` or the `max` of the window says at each tick of one service."""
    wide = samples.pivot_table(index="ts", columns="measurement", values="value", aggfunc="max")
    wide = wide.reindex(columns=sorted({*wide.columns, *_CLASSES, *_USED}))
    signals = _signals(wide)
    service = str(samples["service"].iloc[0])
    seconds = signals.index.astype("datetime64[ns, UTC]").asi8 // 1_000_000_000
    for tick in ticks:
        end = round(tick.timestamp())
        first, last = np.searchsorted(seconds, [end - window.total_seconds(), end])
        if first == last:
            continue
        values = signals.iloc[first:last].agg(statistic)
        for signal, level in LEVELS.items():
            if values[signal] >= level:
                minute = (tick - START) / timedelta(minutes=1)
                yield Said(minute, service, signal, minute - window / timedelta(minutes=1))


_USED = [
    "CPU_USAGE",
    "CPU_LIMIT",
    "MEMORY_USAGE_GB",
    "MEMORY_LIMIT_GB",
    "DISK_USAGE_GB",
    "DISK_LIMIT_GB",
    "HTTP_P95_MS",
]


def _signals(wide: pd.DataFrame) -> pd.DataFrame:
    requests = wide[_CLASSES].sum(axis=1).replace(0, np.nan)
    return pd.DataFrame(
        {
            "cpu": 100 * wide["CPU_USAGE"] / wide["CPU_LIMIT"],
            "memory": 100 * wide["MEMORY_USAGE_GB"] / wide["MEMORY_LIMIT_GB"],
            "disk": 100 * wide["DISK_USAGE_GB"] / wide["DISK_LIMIT_GB"],
            "http_5xx": 100 * wide["HTTP_5XX"] / requests,
            "http_4xx": 100 * wide["HTTP_4XX"] / requests,
            "latency": wide["HTTP_P95_MS"],
        }
    )
