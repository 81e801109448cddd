"""The same signal before the trouble, during it and after the fix: what changed, and how sure.

The interval of a difference is made of the intervals of both sides (Zou and Donner's method of
variance estimates recovery), so it holds for rates, counts, levels and slopes alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

import pandas as pd

from autofix.models import Finding, Model, Signal, Window
from autofix.verify.readings import Measure, Reading, measure_of, read_signal

MATERIAL = 0.25
"""A change below this share of what was there is none, however sure it is."""


class Effect(StrEnum):
    """What happened to one signal."""

    improved = "improved"
    worsened = "worsened"
    unclear = "unclear"
    """No change that is both material and sure."""
    unmeasured = "unmeasured"
    """One of the two sides has too little to compare."""


class Comparison(Model):
    """One signal of an incident, before and after."""

    signal: Signal
    name: str
    unit: str
    before: Reading | None
    """Before the onset, for the eye; no outcome rests on it."""
    during: Reading | None
    """The last window before the fix was live."""
    after: Reading | None
    low: float | None = None
    """Lower end of after minus during; None when they cannot be compared."""
    high: float | None = None
    effect: Effect


class Spans(Model):
    """Three windows of equal length."""

    before: Window
    during: Window
    after: Window


def compare(
    samples: pd.DataFrame, findings: Iterable[Finding], spans: Spans, min_requests: int
) -> tuple[Comparison, ...]:
    """Each signal of an incident over the three windows, in the order of the findings.

    Args:
        samples: frame of the column contract that holds all three windows.
        findings: those of one service that the incident was made of.
        spans: what is compared.
        min_requests: fewer requests on one side make an HTTP signal unmeasured.
    """
    made: dict[tuple[Signal, str], Comparison] = {}
    for finding in findings:
        measure = measure_of(finding.signal, finding.pattern)
        if measure is not None:
            made.setdefault(
                (finding.signal, measure.unit),
                _compare(samples, finding, measure, spans, min_requests),
            )
    return tuple(made.values())


def _compare(
    samples: pd.DataFrame, finding: Finding, measure: Measure, spans: Spans, min_requests: int
) -> Comparison:
    before, during, after = (
        _enough(read_signal(samples, finding.service_id, window, measure), min_requests)
        for window in (spans.before, spans.during, spans.after)
    )
    low, high = difference(during, after) if during and after else (None, None)
    return Comparison(
        signal=finding.signal,
        name=measure.name,
        unit=measure.unit,
        before=before,
        during=during,
        after=after,
        low=low,
        high=high,
        effect=judge_effect(during, after, more_is_better=measure.more_is_better),
    )


def difference(first: Reading, second: Reading) -> tuple[float, float]:
    """Interval of the second minus the first."""
    change = second.value - first.value
    down = math.hypot(second.value - second.low, first.high - first.value)
    up = math.hypot(second.high - second.value, first.value - first.low)
    return change - down, change + up


def judge_effect(
    during: Reading | None, after: Reading | None, *, more_is_better: bool = False
) -> Effect:
    """Improved or worsened only when the change is sure and material."""
    if during is None or after is None:
        return Effect.unmeasured
    low, high = difference(during, after)
    if not _is_material(during.value, after.value) or low <= 0 <= high:
        return Effect.unclear
    return Effect.improved if (high < 0) is not more_is_better else Effect.worsened


def _is_material(first: float, second: float) -> bool:
    return abs(second - first) >= MATERIAL * max(abs(first), abs(second))


def _enough(reading: Reading | None, min_requests: int) -> Reading | None:
    if reading is None or reading.requests is None or reading.requests >= min_requests:
        return reading
    return None
