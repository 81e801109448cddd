"""Measurements as functions of the minute, and as Railway answers them.

Minute 0 is when the trouble begins; the window reaches from 10 minutes before to 20 after it, the
day before that is what is usual.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from autofix.models import Window

ONSET = datetime(2026, 3, 2, 14, 10, tzinfo=UTC)
NOW = ONSET + timedelta(minutes=20)
WINDOW = Window.ending(NOW, timedelta(minutes=30))
DAY = 26 * 60
"""Minutes of history before the onset."""
OLD, LIVE, HEAD = "a" * 40, "c" * 40, "d" * 40
Value = Callable[[float], float]
"""By the minute; before the onset it is negative."""


def at(minute: float) -> str:
    """A time as Railway writes it."""
    return (ONSET + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def steady(value: float, wave: float = 0.04) -> Value:
    """Level, with a small wave."""
    return lambda minute: (
        value * (1 + wave * math.sin(minute / 3.1) + wave / 2 * math.sin(minute / 17))
    )


def since(before: float, after: float, onset: float = 0.0) -> Value:
    """One level before a minute, another one from it on."""
    low, high = steady(before), steady(after)
    return lambda minute: high(minute) if minute >= onset else low(minute)


@dataclass
class ServiceTelemetry:
    """One service's measurements; None stands for what it does not have."""

    name: str
    cpu: Value = field(default_factory=lambda: steady(0.1))
    cpu_limit: float = 1.0
    memory: Value = field(default_factory=lambda: steady(0.2))
    memory_limit: float = 0.512
    disk: Value | None = None
    """GB."""
    requests: Value | None = field(default_factory=lambda: steady(120))
    """A minute."""
    failing: Value = lambda _: 0.0
    """Share answered with 5xx."""
    refused: Value = lambda _: 0.0
    """Share answered with 4xx."""
    p95: Value = field(default_factory=lambda: steady(120))

    @property
    def id(self) -> str:
        """Its id on the platform."""
        return f"svc-{self.name}"


def times(variables: dict[str, Any]) -> Iterator[tuple[int, float]]:
    """Unix seconds and minutes since the onset, of each step that was asked for."""
    start, end = (datetime.fromisoformat(variables[k]) for k in ("start", "end"))
    step = int(variables["step"])
    ts = int(start.timestamp())
    while ts < end.timestamp():
        minute = (ts - ONSET.timestamp()) / 60
        if minute >= -DAY:
            yield ts, minute
        ts += step


def read_series(one: ServiceTelemetry, name: str, value: Value, variables: dict[str, Any]) -> Any:
    points = [{"ts": ts, "value": value(minute)} for ts, minute in times(variables)]
    return {"measurement": name, "tags": {"serviceId": one.id}, "values": points}


def read_statuses(one: ServiceTelemetry, variables: dict[str, Any]) -> list[dict[str, Any]]:
    if one.requests is None:
        return []
    counts: dict[int, list[dict[str, Any]]] = {}
    for ts, minute in times(variables):
        total = one.requests(minute) * variables["step"] / 60
        bad, refused = one.failing(minute) * total, one.refused(minute) * total
        for code, count in ((200, total - bad - refused), (404, refused), (500, bad)):
            if round(count):
                counts.setdefault(code, []).append({"ts": ts, "value": round(count)})
    return [{"statusCode": code, "samples": samples} for code, samples in counts.items()]


def read_durations(one: ServiceTelemetry, variables: dict[str, Any]) -> list[dict[str, Any]]:
    if one.requests is None:
        return []
    return [
        {"ts": ts, "p50": one.p95(m) / 3, "p95": one.p95(m), "p99": 1.3 * one.p95(m)}
        for ts, m in times(variables)
        if one.requests(m) > 0
    ]
