"""Client errors: whose fault they are.

What scanners ask for fails beside the usual traffic, and an API that first answers 401 does so all
day. A service that turns away requests which it used to answer shows in both: refused requests
rise, and answered ones fall by about as many at the same moment.
"""

from __future__ import annotations

import warnings

import numpy as np

from autofix.detect.deploys import find_deployment
from autofix.detect.grid import Array, moment
from autofix.detect.normal import look_before, quantile
from autofix.detect.view import View

_NEW = 0.6
"""Before the run client errors were at most this share of what they are."""
_BEYOND = 1.1
"""They are this much above nearly all that was measured before."""
_RUNS = (0.6, 0.5, 0.4)
"""Shares of the present rate that may belong to its run."""
_GAINED = 5.0
"""Percent of all requests by which client errors rose, at least."""
_REFUSED = 0.4
"""Share of the lost answers that must have been refused instead."""
_EVIDENCE, _BESIDE_RESTART = 1.0, -1.0
"""How much more likely, as a logarithm, refusal must be than scanning."""
_NEAR = 2
"""Coarse steps around an onset in which a restart belongs to it."""
_ANEW = 0.85
"""What is left of the memory when a process begins anew, at most."""
_UNKNOWN_NOISE, _LEAST_NOISE = 0.1, 0.01
_CONTRAST = 15
"""Minutes on each side of an onset that are compared."""
_WHOLE = 0.999
_USUAL = 12
"""Changes that say what is usual."""


def takes_from_answered(view: View, row: int, share: Array, present: float) -> bool:
    """Whether refused requests are ones that were answered before; what is unknown is no.

    Args:
        view: the tick.
        row: the service.
        share: client errors per coarse step, percent of all requests.
        present: the same over the last window.
    """
    return any(_is_refusal(view, row, share, present, run) for run in _RUNS)


def _is_refusal(view: View, row: int, share: Array, present: float, run: float) -> bool:
    before = look_before(view, share, run * present)
    gained = present - before.median
    is_new = before.median <= _NEW * present and gained >= _GAINED
    if not (before.is_known and is_new and present >= _BEYOND * quantile(before.values, 0.95)):
        return False
    coarse, width = view.coarse, max(2, round(_CONTRAST / view.coarse.step_minutes))
    answered = coarse.served_per_minute[row]
    refused = coarse.of_class(4)[row] / coarse.request_minutes[row]
    fallen = -_change(answered, answered, before.start, width)
    risen = _change(refused, answered, before.start, width)
    if not (risen >= _REFUSED * fallen and fallen < _WHOLE):
        return False
    # traffic changes by itself: which explanation needs the smaller change?
    usual = _changes(answered[: max(0, before.start - 1)], width)
    usual = usual[~np.isnan(usual)]
    noise = float(np.sqrt(np.mean(usual**2))) if len(usual) >= _USUAL else _UNKNOWN_NOISE
    # soon after the onset there is less on its other side to take the mean of
    after = int((~np.isnan(answered[before.start + 1 : before.start + 1 + width])).sum())
    noise = max(noise, _LEAST_NOISE) * np.sqrt((1 + width / after) / 2)
    # as it was then, so that the answer does not change with what comes later
    gained = float(np.nanmean(share[before.start + 1 :][:width])) - before.median
    as_scan = np.log(1 - fallen)
    as_refusal = as_scan - np.log(np.clip(1 - gained / 100, 1 - _WHOLE, 1.0))
    evidence = (as_scan**2 - as_refusal**2) / (2 * noise**2)
    needed = _BESIDE_RESTART if _restarts_near(view, row, before.start) else _EVIDENCE
    return bool(evidence >= needed)


def _restarts_near(view: View, row: int, step: int) -> bool:
    """Whether the process began anew about then, by its memory or by a deployment."""
    memory, low = view.coarse.memory[row], view.coarse.memory_low[row]
    earlier = quantile(memory[max(0, step - 2 - _NEAR * 2) : max(0, step - 1)], 0.5)
    around = low[max(0, step - _NEAR) : step + _NEAR + 1]
    if quantile(around, 0.0) <= _ANEW * earlier:
        return True
    onset = moment(view.coarse_time(float(step)))
    deployments = view.deployments.get(view.services[row].id, ())
    return find_deployment(deployments, onset, view.window.end) is not None


def _change(rate: Array, whole: Array, step: int, width: int) -> float:
    """The mean of a rate after a step less the mean before, as a share of the whole before.

    The step itself may hold some of both and is left out, and so is the one before it.
    """
    before = slice(max(0, step - 1 - width), max(0, step - 1))
    first, second, base = rate[before], rate[step + 1 : step + 1 + width], whole[before]
    if min((~np.isnan(part)).sum() for part in (first, base)) < min(2, width):
        return float("nan")
    if np.isnan(second).all():
        return float("nan")
    if not np.nanmean(base) > 0:
        return float("nan")
    return float((np.nanmean(second) - np.nanmean(first)) / np.nanmean(base))


def _changes(rate: Array, width: int) -> Array:
    """Such changes of a rate, at every step that has enough of them on both sides."""
    means = _means(rate, width)
    first, second = means[: -width - 2], means[width + 2 :]
    with np.errstate(invalid="ignore", divide="ignore"):
        changes: Array = np.where(first > 0, second / first - 1, np.nan)
    return changes


def _means(values: Array, width: int) -> Array:
    """The mean over so many steps from each step on, as far as they go."""
    if len(values) < width:
        return np.zeros(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means: Array = np.nanmean(np.lib.stride_tricks.sliding_window_view(values, width), axis=1)
    return means
