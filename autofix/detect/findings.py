"""Breaches to findings: a pure function of samples, rules and the window.

Hysteresis comes from looking at a slice of time and never from memory between ticks, so that a
check by hand, a replay and the monitor say the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from autofix.detect import windows
from autofix.detect.rules import Rule, Statistic, build_rules
from autofix.models import Finding, Service, Severity, Signal, Window
from autofix.parameters import Rules, Thresholds

MIN_SAMPLES = 3
"""Fewer measured samples sustain nothing."""
MIN_COVERAGE = 0.25
"""Share of the window that must have been measured before a level counts as sustained."""
_MS_PER_S = 1_000


@dataclass(frozen=True)
class Breach:
    """One service over one rule's level."""

    value: float
    severity: Severity
    hits: pd.Series
    """Per step, how much was in trouble; index ts."""
    weights: pd.Series
    """Per step, out of how much."""
    requests: float | None = None


def find_findings(
    samples: pd.DataFrame,
    services: Iterable[Service],
    window: Window,
    rules: Rules,
    step: timedelta,
) -> tuple[Finding, ...]:
    """What is in trouble over the window and not muted, by service name and signal.

    Args:
        samples: columns ts, service, measurement, value; any order, gaps and duplicates allowed.
            Nothing outside the window is read.
        services: the ones that are judged.
        window: the slice of time; its end is the tick.
        rules: thresholds for all and for some services, and what is muted.
        step: distance of two samples.
    """
    services = list(services)
    alike: dict[Thresholds, list[Service]] = {}
    for service in services:
        alike.setdefault(rules.of(service.name), []).append(service)
    findings = [
        finding
        for thresholds, some in alike.items()
        for finding in _judge(samples, some, window, thresholds, step)
        if rules.mute_of(finding.service, finding.signal, window.end) is None
    ]
    order = list(Signal)
    return tuple(sorted(findings, key=lambda f: (f.service, f.service_id, order.index(f.signal))))


def _judge(
    samples: pd.DataFrame,
    services: Iterable[Service],
    window: Window,
    thresholds: Thresholds,
    step: timedelta,
) -> list[Finding]:
    known = {service.id: service for service in services}
    wide = windows.widen(samples[samples["service"].isin(list(known))], window)
    if wide.empty:
        return []
    expected = max(1, math.ceil(window.length / step))
    return [
        _finding(rule, known[service_id], breach, window)
        for rule in build_rules(thresholds)
        for service_id, breach in _JUDGES[rule.statistic](wide, rule, expected).items()
    ]


def _sustained(wide: pd.DataFrame, rule: Rule, expected: int) -> dict[str, Breach]:
    """Percent of a limit, in breach for a share of the measured samples."""
    values = windows.percent_of_limit(wide, rule.measurement, rule.limit or "")
    return _sustained_values(values, rule, max(MIN_SAMPLES, MIN_COVERAGE * expected))


def _slow(wide: pd.DataFrame, rule: Rule, _: int) -> dict[str, Breach]:
    """A level in breach for a share of the steps that had traffic."""
    requests = windows.requests(wide)
    totals = requests.groupby(level=windows.SERVICE).sum()
    busy = totals[totals >= rule.min_requests].index
    values = windows.column(wide, rule.measurement).where(requests > 0)
    values = values[values.index.get_level_values(windows.SERVICE).isin(busy)]
    return _sustained_values(values, rule, MIN_SAMPLES, windows.by_service(totals))


def _sustained_values(
    values: pd.Series, rule: Rule, least: float, requests: Mapping[str, float] | None = None
) -> dict[str, Breach]:
    typical = windows.held_for(values, rule.sustained_share)
    found: dict[str, Breach] = {}
    for severity, level in _levels(rule):
        shares = windows.breach_share(values, level)
        over = shares[(shares["share"] >= rule.sustained_share) & (shares["n"] >= least)]
        for service in (str(name) for name in over.index.difference(list(found))):
            own = windows.of(values, service).dropna()
            found[service] = Breach(
                value=float(typical[service]),
                severity=severity,
                hits=(own >= level).astype("float64"),
                weights=pd.Series(1.0, index=own.index),
                requests=requests[service] if requests else None,
            )
    return found


def _full(wide: pd.DataFrame, rule: Rule, _: int) -> dict[str, Breach]:
    """Percent of a limit at the last sample."""
    values = windows.percent_of_limit(wide, rule.measurement, rule.limit or "").dropna()
    last = values.groupby(level=windows.SERVICE).last()
    return {
        service: Breach(
            value=value,
            severity=severity,
            hits=(windows.of(values, service) >= level).astype("float64"),
            weights=windows.of(values, service) * 0 + 1,
        )
        for service, value in windows.by_service(last).items()
        for severity, level in _worst(rule, value)
    }


def _failing(wide: pd.DataFrame, rule: Rule, _: int) -> dict[str, Breach]:
    """Requests of one status class in percent of all: enough of them, and in several steps."""
    requests = windows.requests(wide)
    errors = windows.column(wide, rule.measurement).where(requests.notna()).fillna(0.0)
    table = pd.DataFrame({"errors": errors, "requests": requests}).dropna()
    totals = table.groupby(level=windows.SERVICE).sum()
    totals["steps"] = (table["errors"] > 0).groupby(level=windows.SERVICE).sum()
    judged = totals[(totals["requests"] >= rule.min_requests) & (totals["steps"] > 1)]
    counts = windows.by_service(judged["requests"])
    return {
        service: Breach(
            value=rate,
            severity=severity,
            hits=windows.of(table["errors"], service),
            weights=windows.of(table["requests"], service),
            requests=counts[service],
        )
        for service, rate in windows.by_service(100 * judged["errors"] / judged["requests"]).items()
        for severity, _ in _worst(rule, rate)
    }


def _counted(wide: pd.DataFrame, rule: Rule, _: int) -> dict[str, Breach]:
    """The sum over the window."""
    values = windows.column(wide, rule.measurement).dropna()
    totals = values.groupby(level=windows.SERVICE).sum()
    return {
        service: Breach(
            value=total,
            severity=severity,
            hits=windows.of(values, service),
            # each hit is its own step's whole weight, so that the onset is the first of them
            weights=windows.of(values, service),
        )
        for service, total in windows.by_service(totals).items()
        for severity, _ in _worst(rule, total)
    }


Judge = Callable[[pd.DataFrame, Rule, int], dict[str, Breach]]
_JUDGES: dict[Statistic, Judge] = {
    Statistic.percent_of_limit: _sustained,
    Statistic.last_percent_of_limit: _full,
    Statistic.percent_of_requests: _failing,
    Statistic.level: _slow,
    Statistic.total: _counted,
}


def _levels(rule: Rule) -> tuple[tuple[Severity, float], ...]:
    """The levels, worst first."""
    return (Severity.critical, rule.levels.critical), (Severity.warning, rule.levels.warning)


def _worst(rule: Rule, value: float) -> list[tuple[Severity, float]]:
    """The worst level that the value reaches, or nothing. Zero is never trouble."""
    return [(s, level) for s, level in _levels(rule) if value >= level and value > 0][:1]


def _finding(rule: Rule, service: Service, breach: Breach, window: Window) -> Finding:
    begin = windows.onset(breach.hits, breach.weights, window)
    threshold = dict(_levels(rule))[breach.severity]
    return Finding(
        ts=window.end,
        service_id=service.id,
        service=service.name,
        signal=rule.signal,
        severity=breach.severity,
        onset=begin,
        value=breach.value,
        threshold=threshold,
        unit=rule.unit,
        reason=_reason(rule, breach, threshold, begin, window),
    )


def _reason(rule: Rule, breach: Breach, threshold: float, begin: datetime, window: Window) -> str:
    span, since = _duration(window.length), f"since {begin:%H:%M:%S} UTC"
    level = f"(threshold {_number(threshold, rule.unit)})"
    value = _number(breach.value, rule.unit)
    match rule.statistic:
        case Statistic.total:
            return f"{value} over {span} {level}, {since}"
        case Statistic.last_percent_of_limit:
            return f"{rule.label} {value} full {level}, {since}"
        case Statistic.percent_of_limit:
            share = breach.hits.sum() / breach.weights.sum()
            return (
                f"{rule.label} {value} of its limit over {span} {level}, "
                f"in breach in {share:.0%} of the samples, {since}"
            )
        case _:
            return f"{rule.label} {value} over {span} {level}, {breach.requests:,.0f} requests, {since}"


def _number(value: float, unit: str) -> str:
    if unit == "ms":
        return f"{value / _MS_PER_S:.1f} s" if value >= _MS_PER_S else f"{value:.0f} ms"
    if unit == "restarts":
        return f"{value:.0f} restart{'s' if value != 1 else ''}"
    return f"{value:.1f} {unit}"


def _duration(length: timedelta) -> str:
    seconds = length.total_seconds()
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
