"""What a judge says of one service, before it is a finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autofix.detect.view import View
from autofix.models import Pattern, Severity, Signal


@dataclass(frozen=True)
class Hit:
    """One service's signal in trouble."""

    row: int
    """The service's place in the view."""
    signal: Signal
    severity: Severity
    value: float
    threshold: float
    unit: str
    what: str
    """What the value is of, as the line about it begins."""
    onset: int
    """Nanoseconds since the epoch."""
    minutes: float | None = None
    """Over how long the value was seen."""
    pattern: Pattern = Pattern.level
    requests: float | None = None
    baseline: float | None = None
    hours_left: float | None = None
    detail: str = ""
    """A further fact for the line."""
    suffers: bool = True
    """Whether something is wrong; False for high use that nothing suffers from."""


Judge = Callable[[View], list[Hit]]
