"""What the service uses, what it is asked, and how the databases beside it do."""

from __future__ import annotations

import pandas as pd

from autofix.investigate import series
from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import MISSING, Case, Sourced
from autofix.investigate.facts import ResourceFacts, Shape
from autofix.models import Service, Volume, Window
from autofix.observe.frames import RESTARTS, STATUS_CLASSES
from autofix.observe.observation import Observation

METRICS, DATABASES, VOLUMES = "metrics", "databases", "volumes"
_AT_LIMIT = 85.0
"""A database whose CPU use is on average above this many percent of its limit is named."""
_RISES = 0.15
"""Memory rises when it gains this share of its limit between two starts."""
_MIN_SAMPLES = 4
_ENOUGH = 10
"""Samples since the onset from which memory is judged by them alone."""


def read_resources(case: Case, observation: Observation) -> Sourced[ResourceFacts]:
    """How each signal went over the window, as text and as facts."""
    drafts = [_metrics(case, observation), _databases(case, observation), _volumes(case)]
    facts = build_facts(case, observation, case.view.usual.get(case.service.id))
    return Sourced(facts, tuple(d for d in drafts if d is not None))


def build_facts(case: Case, observation: Observation, usual: float | None) -> ResourceFacts:
    """What the samples come down to.

    Args:
        case: the affected service.
        observation: samples of its window.
        usual: requests a second on an ordinary day; None when that is not known.
    """
    own = observation.samples[observation.samples["service"] == case.service.id]
    memory, limit = _values(own, "MEMORY_USAGE_GB"), _last(own, "MEMORY_LIMIT_GB")
    in_trouble = _values(own[own["ts"] >= case.onset], "MEMORY_USAGE_GB")
    rate = _rate(own, case)
    volume = max(_own_volumes(case), key=_fill, default=None)
    restarts = _values(own, RESTARTS)
    return ResourceFacts(
        memory=memory_shape(in_trouble if len(in_trouble) >= _ENOUGH else memory, limit),
        peak_memory_gb=float(memory.max()) if len(memory) else None,
        memory_limit_gb=limit,
        cpu_limit=_last(own, "CPU_LIMIT"),
        traffic_factor=rate / usual if rate is not None and usual else None,
        restarts=int(restarts.sum()) if len(restarts) else None,
        volume=volume.name if volume else None,
        volume_used_mb=volume.used_mb if volume else 0.0,
        volume_size_mb=volume.size_mb if volume else 0.0,
    )


def memory_shape(memory: pd.Series, limit: float | None) -> Shape | None:
    """Whether memory rises between two starts, or is flat; None when that cannot be seen.

    A start shows as a fall by a third. Of the stretches in between the longest one is judged, without
    its first samples, in which the process is still coming up.
    """
    if limit is None or limit <= 0 or len(memory) < _MIN_SAMPLES:
        return None
    falls = memory < memory.shift(1) * 2 / 3
    stretches = [part for _, part in memory.groupby(falls.cumsum())]
    longest = max(stretches, key=len)
    longest = longest.iloc[1 + len(longest) // 8 :]
    if len(longest) < _MIN_SAMPLES - 1:
        return None
    third = max(1, len(longest) // 3)
    gain = float(longest.iloc[-third:].median() - longest.iloc[:third].median())
    return Shape.rising if gain >= _RISES * limit else Shape.flat


def is_at_limit(observation: Observation, service: Service) -> bool:
    """Whether a service's CPU is at its limit on average."""
    cpu = next(line for line in series.RESOURCES if line.label == "CPU")
    used = series.percent_of_limit(observation.samples, service.id, cpu)
    return used is not None and used >= _AT_LIMIT


def _metrics(case: Case, observation: Observation) -> Draft:
    reason = observation.unknown.get(case.service.id)
    text = series.render_series(observation.samples, case.service.id, case.window)
    if not text:
        return case.draft(METRICS, MISSING, f"{MISSING}: {reason}")
    why = "each signal over the window, highest value of each part"
    return case.draft(METRICS, why, f"{text}\n{MISSING}: {reason}" if reason else text)


def _databases(case: Case, observation: Observation) -> Draft | None:
    """Resources of the databases in the same environment."""
    if not case.databases:
        return None
    full = [d.name for d in case.databases if is_at_limit(observation, d)]
    ordered = sorted(case.databases, key=lambda d: d.name not in full)
    why = f"CPU of {', '.join(full)} is at its limit" if full else "databases beside it"
    return Draft(
        source=DATABASES,
        why=why,
        blocks=tuple(Block(_database_text(observation, d)) for d in ordered),
        start=case.window.start,
        end=case.window.end,
        unit="databases",
    )


def _database_text(observation: Observation, database: Service) -> str:
    reason = observation.unknown.get(database.id)
    text = series.render_series(
        observation.samples, database.id, observation.window, series.RESOURCES
    )
    body = text or f"{MISSING}: {reason}"
    return f"{database.name} ({database.image or database.repository or 'no image'})\n{body}"


def _volumes(case: Case) -> Draft | None:
    """Its own volumes, and the full ones of databases beside it."""
    names = {s.id: s.name for s in (case.service, *case.databases)}
    wanted = [v for v in case.architecture.volumes if v.service_id in names and v.size_mb > 0]
    lines = [
        f"{v.name} of {names[v.service_id or '']} at {v.mount_path or '?'}: {v.used_mb:,.0f} of "
        f"{v.size_mb:,.0f} MB ({100 * v.used_mb / v.size_mb:.0f} % full)"
        for v in sorted(wanted, key=_fill, reverse=True)
    ]
    if not lines:
        return None
    return case.draft(VOLUMES, "volumes and how full they are", "\n".join(lines))


def _own_volumes(case: Case) -> list[Volume]:
    return [v for v in case.architecture.volumes if v.service_id == case.service.id]


def _fill(volume: Volume) -> float:
    return volume.used_mb / volume.size_mb if volume.size_mb > 0 else 0.0


def _values(own: pd.DataFrame, name: str) -> pd.Series:
    chosen = own[own["measurement"] == name].sort_values("ts")
    return chosen["value"].reset_index(drop=True)


def _last(own: pd.DataFrame, name: str) -> float | None:
    values = _values(own, name)
    return float(values.iloc[-1]) if len(values) and values.iloc[-1] > 0 else None


def _rate(own: pd.DataFrame, case: Case) -> float | None:
    """Requests a second since the onset."""
    since = Window(start=max(case.onset, case.window.start), end=case.window.end)
    return _requests_a_second(own, since)


def _requests_a_second(samples: pd.DataFrame, window: Window) -> float | None:
    seconds = window.length.total_seconds()
    chosen = samples[
        samples["measurement"].isin(STATUS_CLASSES)
        & (samples["ts"] >= window.start)
        & (samples["ts"] < window.end)
    ]
    if chosen.empty or seconds <= 0:
        return None
    return float(chosen["value"].sum()) / seconds
