"""A hit as one line that a person can check: numbers, units, threshold, since when, after what."""

from __future__ import annotations

from datetime import datetime, timedelta

from autofix.detect.hits import Hit
from autofix.models import Deployment, Pattern, Signal, Window

_SECOND_MS = 1_000
_HOUR, _DAY = 60, 24 * 60
_SHORT = timedelta(minutes=10)
"""In shorter windows seconds are told."""


def explain(hit: Hit, onset: datetime, window: Window, deployment: Deployment | None) -> str:
    """The line about a hit in a window."""
    parts = [_head(hit), *_facts(hit), _since(onset, window)]
    if deployment is not None:
        parts.append(f"after deployment {(deployment.commit or deployment.id)[:7]}")
    return ", ".join(part for part in parts if part)


def _head(hit: Hit) -> str:
    value, threshold = _number(hit.value, hit.unit), _number(hit.threshold, hit.unit)
    over = f" over {_duration(hit.minutes)}" if hit.minutes else ""
    if hit.signal is Signal.build_failure:
        return f"{hit.what} {hit.detail}"
    if hit.signal is Signal.silence:
        return f"{hit.what} gone: {value}{over} where {_number(hit.baseline or 0, hit.unit)} were to be expected"
    if hit.pattern is Pattern.trend:
        return f"{hit.what} at {value} of its limit {hit.detail}{over}"
    if hit.pattern is Pattern.counted:
        return (
            f"{value} {hit.what}{over} (threshold {hit.threshold:g})"
            if hit.unit == "runs"
            else f"{value}{over} (threshold {hit.threshold:g})"
        )
    of_what = f" {hit.detail}" if hit.detail else ""
    return f"{hit.what} {value}{of_what}{over} (threshold {threshold})"


def _facts(hit: Hit) -> list[str]:
    facts = []
    if hit.requests is not None:
        facts.append(f"{hit.requests:,.0f} requests")
    if hit.hours_left is not None:
        facts.append(f"full in about {_duration(hit.hours_left * 60)}")
    if hit.pattern is Pattern.counted and hit.detail and hit.signal is not Signal.build_failure:
        facts.append(hit.detail)
    shown = {Pattern.level, Pattern.step}
    if hit.baseline is not None and hit.pattern in shown and hit.signal is not Signal.silence:
        facts.append(f"normally {_number(hit.baseline, hit.unit)}")
    if not hit.suffers:
        facts.append("nothing suffers from it")
    return facts


def _since(onset: datetime, window: Window) -> str:
    day = "" if onset.date() == window.end.date() else "%Y-%m-%d "
    seconds = ":%S" if window.length < _SHORT else ""
    return f"since {onset.strftime(f'{day}%H:%M{seconds}')} UTC"


def _number(value: float, unit: str) -> str:
    if unit == "ms":
        return f"{value / _SECOND_MS:.1f} s" if value >= _SECOND_MS else f"{value:.0f} ms"
    if unit in {"restarts", "runs"}:
        name = unit if value != 1 else unit[:-1]
        return f"{value:.0f} {name}"
    if unit == "lines/h":
        return f"{value:,.0f} an hour"
    if unit == "requests/min":
        return f"{value:,.1f} requests a minute"
    return f"{value:.1f} {unit}" if value >= 0.1 or value == 0 else f"{value:.2g} {unit}"  # noqa: PLR2004


def _duration(minutes: float) -> str:
    seconds = minutes * 60
    if minutes >= 2 * _HOUR or minutes in {_HOUR, _DAY}:
        return f"{minutes / _HOUR:.2g} h"
    return f"{minutes:.0f} min" if minutes >= 2 else f"{seconds:.0f} s"  # noqa: PLR2004
