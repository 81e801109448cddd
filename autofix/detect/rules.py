"""Rules as data, built from the thresholds that a person tunes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from autofix.models import Signal
from autofix.observe.frames import RESTARTS, STATUS_CLASSES
from autofix.parameters import Levels, Rules, Thresholds


class Statistic(StrEnum):
    """What of the window is compared with the levels."""

    percent_of_limit = "percent_of_limit"
    """Use in percent of its limit, in breach for a share of the measured samples."""
    last_percent_of_limit = "last_percent_of_limit"
    """Use in percent of its limit at the last sample: for what only fills up."""
    percent_of_requests = "percent_of_requests"
    """Requests of one status class in percent of all, over the whole window."""
    level = "level"
    """The value as it is, in breach for a share of the steps that had traffic."""
    total = "total"
    """The sum over the window."""


@dataclass(frozen=True)
class Rule:
    """One signal and when it is in trouble.

    Rules that need more than a level have their place beside these: a trend that reaches the
    limit (leak), a step against the service's own baseline (regression), an error-log rate.
    """

    signal: Signal
    statistic: Statistic
    measurement: str
    levels: Levels
    unit: str
    label: str
    """How the finding calls the value."""
    limit: str | None = None
    """The measurement that holds the limit, for percentages of it."""
    min_requests: int = 0
    sustained_share: float = 0.0
    """Share of the samples that must be in breach."""


def build_rules(thresholds: Thresholds) -> tuple[Rule, ...]:
    """The rules of these thresholds."""
    t = thresholds
    share, traffic = t.sustained_share, t.min_requests
    return (
        _use(Signal.cpu, "CPU", "CPU_USAGE", "CPU_LIMIT", t.cpu_percent, share),
        _use(
            Signal.memory, "memory", "MEMORY_USAGE_GB", "MEMORY_LIMIT_GB", t.memory_percent, share
        ),
        Rule(
            signal=Signal.disk,
            statistic=Statistic.last_percent_of_limit,
            measurement="DISK_USAGE_GB",
            limit="DISK_LIMIT_GB",
            levels=t.disk_percent,
            unit="%",
            label="volume",
        ),
        _errors(Signal.http_5xx, "5xx", STATUS_CLASSES[3], t.http_5xx_percent, traffic),
        _errors(Signal.http_4xx, "4xx", STATUS_CLASSES[2], t.http_4xx_percent, traffic),
        Rule(
            signal=Signal.latency,
            statistic=Statistic.level,
            measurement="HTTP_P95_MS",
            levels=t.latency_p95_ms,
            unit="ms",
            label="p95",
            min_requests=traffic,
            sustained_share=share,
        ),
        Rule(
            signal=Signal.crash_loop,
            statistic=Statistic.total,
            measurement=RESTARTS,
            levels=t.restarts,
            unit="restarts",
            label="restarts",
        ),
    )


def _use(signal: Signal, label: str, usage: str, limit: str, levels: Levels, share: float) -> Rule:
    return Rule(
        signal=signal,
        statistic=Statistic.percent_of_limit,
        measurement=usage,
        limit=limit,
        levels=levels,
        unit="%",
        label=label,
        sustained_share=share,
    )


def _errors(signal: Signal, label: str, measurement: str, levels: Levels, traffic: int) -> Rule:
    return Rule(
        signal=signal,
        statistic=Statistic.percent_of_requests,
        measurement=measurement,
        levels=levels,
        unit="%",
        label=label,
        min_requests=traffic,
    )


def describe_rules(rules: Rules, known: Collection[str], now: datetime) -> tuple[str, ...]:
    """What is muted now, and which services are named in the rules and do not exist."""
    muted = [
        f"{mute.service}: {mute.signal or 'every signal'} is muted until "
        f"{mute.until:%Y-%m-%d %H:%M} UTC" + (f" ({mute.reason})" if mute.reason else "")
        for mute in rules.mutes
        if now < mute.until and mute.service in known
    ]
    unknown = [
        f"the rules name {name}, and there is no such service"
        for name in rules.unknown_names(known)
    ]
    return (*muted, *unknown)
