"""When a trouble began: the start of its present run, looked for beyond the window too."""

from __future__ import annotations

from typing import Literal

import numpy as np

from autofix.detect.entries import SHORT
from autofix.detect.grid import Array
from autofix.detect.normal import smooth
from autofix.detect.view import FINE, WINDOW, View

Name = Literal["p95", "cpu", "memory", "disk"]
_PAUSE = WINDOW // 2
"""Fine steps of calm within one trouble."""


def find_onset(view: View, row: int, name: Name, level: float) -> int:
    """Nanoseconds at which a signal of one service began to be at a level.

    Looks at the fine steps first, and where the run reaches back beyond them, at the coarse ones.
    """
    return onset_of(view, getattr(view.fine, name)[row], getattr(view.coarse, name)[row], level)


def onset_of(view: View, fine: Array, coarse: Array, level: float) -> int:
    """The same for any signal, in fine and in coarse steps."""
    first = first_of_run(smooth(fine), level, _PAUSE)
    if first is None:
        return view.fine_time(FINE - WINDOW)
    earliest = np.flatnonzero(~np.isnan(fine))[0]
    if first > earliest + SHORT[0] // 2:
        return view.fine_time(first)
    pause = max(1, round(_PAUSE * view.fine.step_minutes / view.coarse.step_minutes))
    start = first_of_run(smooth(coarse), level, pause)
    return view.fine_time(first) if start is None else view.coarse_time(start)


def first_of_run(values: Array, level: float, pause: int) -> int | None:
    """The first step of the last run at a level, in which shorter pauses are allowed."""
    hits = np.flatnonzero(values >= level)
    if not hits.size:
        return None
    breaks = np.flatnonzero(np.diff(hits) > pause)
    return int(hits[breaks[-1] + 1]) if breaks.size else int(hits[0])
