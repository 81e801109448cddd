"""One service's day: what is true of it, and the samples that a platform would have taken.

A kind of day begins with a random healthy service and changes what is true. Noise, sample step,
gaps and missing percentiles are drawn afterwards and are the same for trouble and for quiet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
START = datetime(2026, 3, 3, tzinfo=UTC)
MINUTES = 24 * 60
STEPS = (30, 60, 60, 60, 60, 120, 180, 300)
Z95, Z99 = 1.645, 2.326
_SMALL = 40
"""Up to so many requests in a step, percentiles are taken of drawn requests."""


@dataclass(frozen=True)
class Truth:
    """What a detector should have said of a day."""

    kind: str
    signals: frozenset[str] = frozenset()
    """Any of them is a right answer; empty for a quiet day."""
    begins: float = math.nan
    """Minute at which something begins to go wrong."""
    clock: float = math.nan
    """Minute from which it should be found."""
    ends: float = MINUTES


@dataclass
class Day:
    """What is true of a service, per step."""

    rng: np.random.Generator
    step: int = 60
    """Seconds."""
    t: Array = field(default_factory=lambda: np.zeros(0))
    """Minutes since the day began."""

    traffic: Array = field(default_factory=lambda: np.zeros(0))
    """Requests a minute."""
    share5: Array = field(default_factory=lambda: np.zeros(0))
    share4: Array = field(default_factory=lambda: np.zeros(0))
    share3: float = 0.0
    extra4: Array = field(default_factory=lambda: np.zeros(0))
    """Requests a minute that nobody of the users sent and that end as 4xx."""
    p50: Array = field(default_factory=lambda: np.zeros(0))
    """Milliseconds."""
    spread: Array = field(default_factory=lambda: np.zeros(0))
    """Standard deviation of the logarithm of a request's duration."""
    cpu: Array = field(default_factory=lambda: np.zeros(0))
    """vCPU."""
    cpu_limit: Array = field(default_factory=lambda: np.zeros(0))
    mem: Array = field(default_factory=lambda: np.zeros(0))
    """Share of `mem_size`."""
    mem_limit: Array = field(default_factory=lambda: np.zeros(0))
    """In units of `mem_size`."""
    mem_size: float = 1.0
    """GB."""
    disk: Array | None = None
    """Share of `disk_size`."""
    disk_size: float = 10.0
    http: bool = True
    limits: bool = True
    down: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Steps of which nothing was measured."""
    cpu_noise: float = 0.06
    mem_noise: float = 0.004
    overdispersion: float = 0.0
    """Of the number of requests, beyond that of independent arrivals."""

    # ------------------------------------------------------------------ drawing

    def hour(self, low: float, high: float) -> float:
        """A minute between two hours of the day."""
        return float(self.rng.uniform(low, high)) * 60

    def between(self, low: float, high: float) -> float:
        """A number."""
        return float(self.rng.uniform(low, high))

    def log_between(self, low: float, high: float) -> float:
        """A number whose logarithm is even."""
        return float(np.exp(self.rng.uniform(math.log(low), math.log(high))))

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def wander(self, sigma: float, minutes: float) -> Array:
        """Slow noise around 1 that forgets itself within so many minutes."""
        rho = math.exp(-self.step / 60 / minutes)
        noise = self.rng.normal(0, sigma * math.sqrt(1 - rho * rho), len(self.t))
        state = np.empty(len(self.t))
        value = self.rng.normal(0, sigma)
        for i, shock in enumerate(noise):
            value = rho * value + shock
            state[i] = value
        return np.exp(state - sigma * sigma / 2)

    # ------------------------------------------------------------------ shapes

    def since(self, at: float) -> Array:
        """1 from a minute on."""
        return (self.t >= at).astype(float)

    def during(self, at: float, minutes: float) -> Array:
        """1 for so many minutes."""
        return ((self.t >= at) & (self.t < at + minutes)).astype(float)

    def ramp(self, at: float, minutes: float) -> Array:
        """From 0 to 1 within so many minutes."""
        return np.clip((self.t - at) / minutes, 0, 1)

    def sawtooth(self, period: float, jitter: float = 0.1) -> Array:
        """From 0 to 1 again and again."""
        out = np.zeros(len(self.t))
        edge = self.between(-period, 0)
        while edge < MINUTES:
            length = period * self.between(1 - jitter, 1 + jitter)
            inside = (self.t >= edge) & (self.t < edge + length)
            out[inside] = (self.t[inside] - edge) / length
            edge += length
        return out

    # ------------------------------------------------------------------ events

    def deploy(self, at: float, *, rough: bool = False, warm: float = 12.0) -> None:
        """A new version: fresh memory, a busy start, perhaps a few failed requests."""
        age = self.t - at
        fresh = (age >= 0) * np.exp(-np.clip(age, 0, None) / warm)
        self.mem = self.mem * (1 - self.between(0.3, 0.7) * fresh)
        self.cpu = self.cpu * (
            1 + self.between(0.2, 1.5) * (age >= 0) * np.exp(-np.clip(age, 0, None) / 2)
        )
        self.p50 = self.p50 * (
            1 + self.between(0.2, 1.0) * (age >= 0) * np.exp(-np.clip(age, 0, None) / 3)
        )
        if rough:
            self.share5 = np.maximum(
                self.share5, self.between(0.05, 0.5) * self.during(at, self.between(1, 3))
            )
        if self.chance(0.3):
            self.down |= self.during(at, self.step / 60).astype(bool)

    def gap(self, at: float, minutes: float) -> None:
        """Nothing is measured."""
        self.down |= self.during(at, minutes).astype(bool)

    # ------------------------------------------------------------------ truth

    @property
    def p95(self) -> Array:
        """Milliseconds, as it truly is."""
        return self.p50 * np.exp(Z95 * self.spread)

    def first(self, hit: npt.NDArray[np.bool_]) -> float:
        """The first minute at which it holds; nan for never."""
        found = np.flatnonzero(hit)
        return float(self.t[found[0]]) if found.size else math.nan

    def near_limit(self, course: Array, at: float, hours: float = 6) -> float:
        """When a rising course, as it truly goes on, reaches 1 within so many hours."""
        full = self.first((course >= 1) & (self.t >= at))
        if math.isnan(full):
            tail = self.t >= MINUTES - 60
            rate = (course[-1] - course[tail][0]) / 60
            full = MINUTES + (1 - course[-1]) / rate if rate > 0 else math.inf
        return max(at, full - hours * 60)


def healthy(rng: np.random.Generator, size: str | None = None) -> Day:
    """A service in which nothing is wrong."""
    day = Day(rng, step=int(rng.choice(STEPS)))
    day.t = np.arange(0, MINUTES, day.step / 60)
    ones = np.ones(len(day.t))
    draw_traffic(day, size)
    day.share3 = day.between(0, 0.1) if day.chance(0.5) else 0.0
    day.share5 = day.log_between(0.0001, 0.003) * ones * (1.0 if day.chance(0.7) else 0.0)
    day.share4 = day.log_between(0.003, 0.05) * ones
    day.extra4 = 0 * ones
    load = day.traffic / max(day.traffic.max(), 1e-9)
    day.spread = day.between(0.35, 1.0) * ones
    day.p50 = day.log_between(6, 120) * (1 + day.between(0, 0.6) * load**2)
    day.p50 *= day.wander(day.between(0.02, 0.1), 20)
    day.p50 *= np.minimum(1, 600 / day.p95.max())
    day.cpu_limit = float(rng.choice([0.5, 1, 2, 2, 4, 8])) * ones
    peak = day.between(0.1, 0.6)
    day.cpu = day.cpu_limit * peak * (0.15 + 0.85 * load)
    day.cpu_noise = day.between(0.02, 0.15)
    day.mem_size = float(rng.choice([0.512, 1, 2, 4, 8]))
    day.mem_limit = 1.0 * ones
    day.mem = day.between(0.2, 0.6) + day.between(0, 0.08) * load
    day.mem_noise = day.log_between(0.001, 0.012)
    day.mem *= day.wander(day.between(0.002, 0.015), 40)
    if day.chance(0.35):
        day.mem += day.between(0.02, 0.08) * day.sawtooth(day.log_between(3, 90))
    day.down = np.zeros(len(day.t), dtype=bool)
    day.overdispersion = day.between(0, 0.15)
    if day.chance(0.5):
        for _ in range(rng.integers(1, 4)):
            day.deploy(day.hour(0, 24), rough=day.chance(0.4))
    return day


def draw_traffic(day: Day, size: str | None = None) -> None:
    """Requests a minute over a day: a peak, a night, perhaps two humps."""
    size = size or str(day.rng.choice(["low", "mid", "mid", "high"]))
    low, high = {"tiny": (0.05, 0.8), "low": (3, 15), "mid": (15, 200), "high": (200, 4000)}[size]
    base, depth = day.log_between(low, high), day.between(0, 0.85)
    angle = 2 * np.pi * (day.t / MINUTES - day.between(0, 1))
    wave = 0.5 + 0.5 * np.cos(angle) + day.between(0, 0.25) * np.cos(2 * angle + day.between(0, 6))
    wave = np.clip((wave - wave.min()) / (wave.max() - wave.min()), 0, 1)
    day.traffic = base * (1 - depth * (1 - wave)) * day.wander(day.between(0.02, 0.12), 30)


def without_http(day: Day) -> None:
    """A worker, a queue or a private service."""
    day.http = False


# ---------------------------------------------------------------------- samples


def measure(day: Day, service: str) -> pd.DataFrame:
    """The samples of a day: columns ts, service, measurement, value; in any order."""
    rng, n = day.rng, len(day.t)
    values: dict[str, Array] = {}
    noise = day.wander(day.cpu_noise, 3) * np.exp(rng.normal(0, day.cpu_noise / 2, n))
    values["CPU_USAGE"] = np.minimum(day.cpu * noise, day.cpu_limit)
    memory = day.mem + rng.normal(0, day.mem_noise, n)
    values["MEMORY_USAGE_GB"] = np.clip(memory, 0.01, day.mem_limit) * day.mem_size
    if day.limits:
        values["CPU_LIMIT"] = day.cpu_limit
        values["MEMORY_LIMIT_GB"] = day.mem_limit * day.mem_size
    if day.disk is not None:
        values["DISK_USAGE_GB"] = np.clip(day.disk, 0, 1) * day.disk_size
        values["DISK_LIMIT_GB"] = np.full(n, day.disk_size)
    if day.http:
        values |= _http(day)
    return _table(day, service, values)


def _http(day: Day) -> dict[str, Array]:
    rng, n = day.rng, len(day.t)
    rate = day.traffic * day.step / 60
    if day.overdispersion:
        shape = 1 / day.overdispersion**2
        rate = rate * rng.gamma(shape, 1 / shape, n)
    total = rng.poisson(rate)
    shares = np.stack([np.zeros(n), np.full(n, day.share3), day.share4, day.share5])
    shares[0] = np.clip(1 - shares.sum(axis=0), 0, 1)
    counts = rng.multinomial(total, (shares / shares.sum(axis=0)).T)
    scans = rng.poisson(day.extra4 * day.step / 60)
    counts[:, 2] += scans
    values = {f"HTTP_{c + 2}XX": counts[:, c].astype(float) for c in range(4)}
    # a class that did not occur has no row, or a zero, as the exporter likes
    if day.chance(0.5):
        for name in ("HTTP_3XX", "HTTP_4XX", "HTTP_5XX"):
            values[name] = np.where(values[name] > 0, values[name], np.nan)
    served = total + scans
    for name, q, z in (
        ("HTTP_P50_MS", 0.5, 0.0),
        ("HTTP_P95_MS", 0.95, Z95),
        ("HTTP_P99_MS", 0.99, Z99),
    ):
        values[name] = _percentile(day, served, q, z)
    missing = rng.random()
    if missing < 0.1:
        del values["HTTP_P99_MS"]
    elif missing < 0.2:
        del values["HTTP_P50_MS"]
    elif missing < 0.24:
        del values["HTTP_P95_MS"]
    return values


def _percentile(day: Day, served: npt.NDArray[np.int64], q: float, z: float) -> Array:
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    error = np.sqrt(q * (1 - q) / np.maximum(served, 1)) / density
    logs = np.log(day.p50) + day.spread * (z + error * day.rng.normal(0, 1, len(served)))
    for i in np.flatnonzero((served > 0) & (served <= _SMALL)):
        drawn = day.rng.normal(0, 1, served[i])
        logs[i] = np.log(day.p50[i]) + day.spread[i] * np.quantile(drawn, q)
    return np.where(served > 0, np.exp(logs), np.nan)


def _table(day: Day, service: str, values: dict[str, Array]) -> pd.DataFrame:
    rng = day.rng
    # seconds since the epoch; some exporters are late by a few seconds
    late = rng.integers(0, 3, len(day.t)) if day.chance(0.3) else np.zeros(len(day.t), dtype=int)
    seconds = np.round(day.t * 60).astype("int64") + late
    parts = []
    for name, column in values.items():
        kept = ~day.down & ~np.isnan(column)
        if day.chance(0.3):
            kept &= rng.random(len(kept)) > 0.02
        parts.append(
            pd.DataFrame({"ts": seconds[kept], "measurement": name, "value": column[kept]})
        )
    table = pd.concat(parts, ignore_index=True)
    if day.chance(0.2):
        table = pd.concat([table, table.sample(frac=0.01, random_state=1)], ignore_index=True)
    table["ts"] = pd.to_datetime(START) + pd.to_timedelta(table["ts"], unit="s")
    return table.assign(service=service)[["ts", "service", "measurement", "value"]]


def at(minute: float) -> datetime:
    """The moment of a minute of the day."""
    return START + timedelta(minutes=minute)
