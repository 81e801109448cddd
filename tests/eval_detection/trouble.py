"""Days on which something goes wrong, and from when on it should be found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.eval_detection.day import MINUTES, Array, Day, Truth, healthy, without_http

Make = Callable[[np.random.Generator], tuple[Day, Truth]]
TROUBLE: dict[str, Make] = {}
WARN_5XX, WARN_4XX, WARN_P95 = 0.01, 0.10, 1000.0


def trouble(make: Make) -> Make:
    """Register a kind under its function's name."""
    TROUBLE[make.__name__] = make
    return make


def _truth(
    day: Day, kind: str, signals: str, begins: float, clock: float, ends: float = MINUTES
) -> Truth:
    return Truth(kind, frozenset(signals.split()), begins, clock, ends)


def _failing(day: Day, share: Array) -> None:
    day.share5 = np.maximum(day.share5, share)


def _slower(day: Day, to_ms: float, course: Array) -> None:
    """p95 on its way from what it was to so many milliseconds, as the course goes from 0 to 1."""
    factor = to_ms / float(np.median(day.p95))
    day.p50 = day.p50 * factor**course


def _onset(day: Day) -> float:
    return day.hour(4, 21)


# ---------------------------------------------------------------------- errors


@trouble
def errors_after_a_deploy(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A version that fails for many requests."""
    day, at = healthy(rng), 0.0
    at = _onset(day)
    day.deploy(at)
    _failing(day, day.log_between(0.06, 0.6) * day.since(at))
    return day, _truth(day, "errors_after_a_deploy", "http_5xx", at, at)


@trouble
def few_errors(rng: np.random.Generator) -> tuple[Day, Truth]:
    """One route of many fails."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    at = _onset(day)
    _failing(day, day.between(0.018, 0.04) * day.since(at))
    return day, _truth(day, "few_errors", "http_5xx", at, at)


@trouble
def errors_that_grow(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A pool runs dry over an hour or three."""
    day = healthy(rng)
    at = _onset(day)
    _failing(day, day.between(0.1, 0.5) * day.ramp(at, day.between(40, 180)))
    return day, _truth(
        day, "errors_that_grow", "http_5xx", at, day.first((day.share5 >= WARN_5XX) & (day.t >= at))
    )


@trouble
def errors_that_come_and_go(rng: np.random.Generator) -> tuple[Day, Truth]:
    """One of two replicas is sick, or a lock is held now and then."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    at, every, share = day.hour(4, 19), day.between(8, 40), day.between(0.5, 0.7)
    on = ((day.t - at) % every) < share * every
    _failing(day, day.between(0.1, 0.4) * on * day.during(at, 240))
    return day, _truth(day, "errors_that_come_and_go", "http_5xx", at, at, at + 240)


@trouble
def errors_at_low_traffic(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Few users, and most of them see an error."""
    day = healthy(rng, "low")
    at = _onset(day)
    _failing(day, day.between(0.25, 0.9) * day.since(at))
    return day, _truth(day, "errors_at_low_traffic", "http_5xx", at, at)


@trouble
def outage(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Nothing works for an hour or more; users try again, then stay away."""
    day = healthy(rng)
    at, length = day.hour(4, 20), day.between(50, 240)
    down = day.during(at, length)
    _failing(day, day.between(0.8, 1.0) * down)
    day.traffic = day.traffic * (1 - day.between(-0.5, 0.7) * down)
    day.cpu = day.cpu * (1 - day.between(0, 0.8) * down)
    return day, _truth(day, "outage", "http_5xx", at, at, at + length)


@trouble
def errors_with_coarse_samples(rng: np.random.Generator) -> tuple[Day, Truth]:
    """The same at five minutes a sample, with gaps."""
    while True:
        day = healthy(rng, str(rng.choice(["mid", "high"])))
        if day.step >= 180:
            break
    for _ in range(10):
        day.gap(day.hour(0, 24), day.between(3, 12))
    at = _onset(day)
    _failing(day, day.log_between(0.05, 0.4) * day.since(at))
    return day, _truth(day, "errors_with_coarse_samples", "http_5xx", at, at)


# ---------------------------------------------------------------------- latency


@trouble
def slow_after_a_deploy(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A missing index: seconds instead of milliseconds."""
    day = healthy(rng)
    at = _onset(day)
    day.deploy(at)
    _slower(day, day.log_between(3500, 20000), day.since(at))
    return day, _truth(day, "slow_after_a_deploy", "latency", at, at)


@trouble
def a_little_too_slow(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Just above the warning level."""
    day = healthy(rng)
    at = _onset(day)
    _slower(day, day.between(1400, 2500), day.since(at))
    return day, _truth(day, "a_little_too_slow", "latency", at, at)


@trouble
def slower_and_slower(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A table without an index grows, a queue fills up."""
    day = healthy(rng)
    at = day.hour(4, 18)
    _slower(day, day.log_between(3000, 12000), day.ramp(at, day.between(60, 300)))
    return day, _truth(
        day, "slower_and_slower", "latency", at, day.first((day.p95 >= WARN_P95) & (day.t >= at))
    )


@trouble
def regression_below_the_levels(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A deployment makes it many times slower, and still under a second."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    day.p50 = day.p50 * np.minimum(1, day.between(40, 110) / float(np.median(day.p95)))
    at = day.hour(6, 21)
    day.deploy(at)
    _slower(day, day.between(550, 850), day.since(at))
    return day, _truth(day, "regression_below_the_levels", "latency", at, at)


@trouble
def slow_at_low_traffic(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Few users, and all of them wait."""
    day = healthy(rng, "low")
    at = _onset(day)
    _slower(day, day.log_between(3000, 15000), day.since(at))
    return day, _truth(day, "slow_at_low_traffic", "latency", at, at)


@trouble
def slow_database(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Pages take half a minute while the service's own CPU and memory look calm."""
    day = healthy(rng)
    at, length = day.hour(4, 20), day.between(60, 240)
    ill = day.ramp(at, day.between(1, 15)) * (1 - day.since(at + length))
    _slower(day, day.log_between(8000, 30000), ill)
    _failing(day, day.between(0, 0.15) * ill)
    day.cpu = day.cpu * (1 - 0.4 * ill)
    clock = day.first((day.t >= at) & ((day.p95 >= WARN_P95) | (day.share5 >= WARN_5XX)))
    return day, _truth(day, "slow_database", "latency http_5xx", at, clock, at + length)


@trouble
def slow_spells(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A job that locks a table, for half of every half hour, for hours."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    at, every = day.hour(4, 19), day.between(20, 45)
    on = (((day.t - at) % every) < 0.6 * every) * day.during(at, 240)
    _slower(day, day.log_between(3500, 9000), on)
    return day, _truth(day, "slow_spells", "latency", at, at, at + 240)


# ---------------------------------------------------------------------- CPU


@trouble
def saturated(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A hot loop: no CPU left, and everybody waits."""
    day = healthy(rng)
    at = _onset(day)
    rise = day.ramp(at, day.between(1, 30))
    day.cpu = day.cpu * (1 - rise) + day.cpu_limit * day.between(0.95, 1.0) * rise
    day.cpu_noise = 0.02
    _slower(day, day.log_between(1300, 8000), rise)
    clock = day.first((day.t >= at) & ((day.p95 >= WARN_P95) | (day.cpu >= 0.7 * day.cpu_limit)))
    return day, _truth(day, "saturated", "cpu latency", at, clock)


@trouble
def overrun(rng: np.random.Generator) -> tuple[Day, Truth]:
    """More users than it can serve."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    at, length = day.hour(3, 20), day.between(60, 200)
    crowd = day.ramp(at, 15) * (1 - day.ramp(at + length, 15))
    day.traffic = day.traffic * (1 + day.between(2, 5) * crowd)
    day.cpu = day.cpu * (1 - crowd) + day.cpu_limit * 0.98 * crowd
    _slower(day, day.log_between(2000, 9000), crowd)
    _failing(day, day.between(0.02, 0.2) * crowd)
    hit = (day.p95 >= WARN_P95) | (day.share5 >= WARN_5XX) | (day.cpu >= 0.7 * day.cpu_limit)
    return day, _truth(
        day, "overrun", "cpu latency http_5xx", at, day.first((day.t >= at) & hit), at + length
    )


# ---------------------------------------------------------------------- memory


def _leak(day: Day, at: float, hours: float, *, base: float | None = None) -> tuple[Array, float]:
    """The true course of a leak that takes so many hours to the limit, and its clock."""
    base = float(np.median(day.mem)) if base is None else base
    lost = np.clip(day.t - at, 0, None) / (hours * 60) * (1 - base)
    day.mem = day.mem + lost
    return base + lost, day.near_limit(base + lost, at)


def _killed_at_the_limit(day: Day, at: float) -> None:
    """The platform kills what reaches its limit, and it begins anew."""
    base = float(np.median(day.mem[day.t < at]))
    rate = np.diff(day.mem, prepend=day.mem[0])
    value = np.array(day.mem)
    for i in range(1, len(value)):
        if day.t[i] >= at:
            value[i] = value[i - 1] + max(rate[i], -0.02)
            if value[i] >= 1:
                value[i] = base * 0.8
                day.share5[i : i + max(1, 60 // day.step)] = 0.4
    day.mem = value


@trouble
def fast_leak(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Some hours from a deployment to the limit."""
    day = healthy(rng)
    at = day.hour(3, 17)
    if day.chance(0.6):
        day.deploy(at)
    _, clock = _leak(day, at, day.between(2, 5))
    _killed_at_the_limit(day, at)
    return day, _truth(day, "fast_leak", "memory crash_loop", at, clock)


@trouble
def slow_leak(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Most of a day to the limit."""
    day = healthy(rng)
    at = day.hour(1, 8)
    _, clock = _leak(day, at, day.between(9, 18))
    _killed_at_the_limit(day, at)
    return day, _truth(day, "slow_leak", "memory crash_loop", at, clock)


@trouble
def leak_below_a_sawtooth(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Every collection leaves a little more behind."""
    day = healthy(rng)
    day.mem = day.between(0.2, 0.35) * day.wander(0.01, 40)
    teeth = day.between(0.06, 0.15) * day.sawtooth(day.log_between(3, 30))
    at = day.hour(2, 14)
    _, clock = _leak(day, at, day.between(3, 9), base=float(np.median(day.mem)) + 0.1)
    day.mem = day.mem + teeth
    _killed_at_the_limit(day, at)
    return day, _truth(day, "leak_below_a_sawtooth", "memory crash_loop", at, clock)


@trouble
def leak_with_a_days_traffic(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Memory follows the traffic, and does not come back all the way."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    load = day.traffic / day.traffic.max()
    day.mem = day.between(0.15, 0.3) + day.between(0.05, 0.2) * load
    at = day.hour(2, 14)
    _, clock = _leak(day, at, day.between(3, 9), base=float(np.median(day.mem)))
    _killed_at_the_limit(day, at)
    return day, _truth(day, "leak_with_a_days_traffic", "memory crash_loop", at, clock)


@trouble
def leak_by_requests(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Each request leaves something behind: faster by day than by night."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    at = day.hour(1, 12)
    base = float(np.median(day.mem))
    lost = np.cumsum(day.traffic * (day.t >= at)) * day.step / 60
    lost = lost / (day.traffic.mean() * day.between(4, 10) * 60) * (1 - base)
    day.mem = day.mem + lost
    clock = day.near_limit(base + lost, at)
    _killed_at_the_limit(day, at)
    return day, _truth(day, "leak_by_requests", "memory crash_loop", at, clock)


@trouble
def leaking_worker(rng: np.random.Generator) -> tuple[Day, Truth]:
    """The same without HTTP."""
    day = healthy(rng)
    without_http(day)
    at = day.hour(2, 15)
    _, clock = _leak(day, at, day.between(2, 8))
    _killed_at_the_limit(day, at)
    return day, _truth(day, "leaking_worker", "memory crash_loop", at, clock)


@trouble
def killed_again_and_again(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A leak so fast that the platform kills it every half hour or two."""
    day = healthy(rng)
    at = day.hour(3, 18)
    _leak(day, at, day.between(0.5, 1.8))
    _killed_at_the_limit(day, at)
    return day, _truth(day, "killed_again_and_again", "memory crash_loop http_5xx", at, at)


@trouble
def memory_fills_up_and_stays(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A database at 31.96 of 32 GB."""
    day = healthy(rng)
    without_http(day)
    at, minutes = day.hour(3, 19), day.between(20, 180)
    base = float(np.median(day.mem))
    rise = day.ramp(at, minutes)
    day.mem = day.mem * (1 - rise) + day.between(0.975, 0.999) * rise
    day.mem_noise = min(day.mem_noise, 0.003)
    clock = day.first((day.t >= at) & (base + (0.98 - base) * rise >= 0.7))
    return day, _truth(day, "memory_fills_up_and_stays", "memory", at, clock)


# ---------------------------------------------------------------------- restarts


@trouble
def crash_loop(rng: np.random.Generator) -> tuple[Day, Truth]:
    """It dies every few minutes; what arrives then fails."""
    day = healthy(rng, str(rng.choice(["mid", "mid", "high"])))
    at, every = _onset(day), day.between(4, 12)
    age = np.where(day.t >= at, (day.t - at) % every, 1e9)
    dead = age < day.between(0.6, 2.0)
    day.mem = day.mem * (1 - 0.85 * np.exp(-age / 1.5))
    day.cpu = np.where(age < 3, day.cpu_limit * 0.8, day.cpu)
    _failing(day, day.between(0.5, 1.0) * dead)
    return day, _truth(day, "crash_loop", "crash_loop http_5xx", at, at)


@trouble
def crashing_worker(rng: np.random.Generator) -> tuple[Day, Truth]:
    """It dies every few minutes, and nobody asks it anything."""
    while True:
        day = healthy(rng)
        if day.step <= 60:
            break
    without_http(day)
    at, every = _onset(day), day.between(5, 12)
    age = np.where(day.t >= at, (day.t - at) % every, 1e9)
    day.mem = day.mem * (1 - 0.92 * np.exp(-age / 1.2))
    day.cpu = np.where(age < 2, day.cpu_limit * 0.7, day.cpu)
    day.down |= (age < 0.5) & (day.chance(0.5))
    return day, _truth(day, "crashing_worker", "crash_loop memory", at, at)


# ---------------------------------------------------------------------- clients


@trouble
def clients_refused(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A deployment breaks the login: what was 200 is 401."""
    day = healthy(rng)
    at = day.hour(5, 21)
    day.deploy(at)
    day.share4 = np.maximum(day.share4, day.between(0.3, 0.7) * day.since(at))
    return day, _truth(day, "clients_refused", "http_4xx", at, at)


@trouble
def some_clients_refused(rng: np.random.Generator) -> tuple[Day, Truth]:
    """One route of many is gone."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    at = day.hour(5, 21)
    day.deploy(at)
    day.share4 = np.maximum(day.share4, day.between(0.15, 0.25) * day.since(at))
    return day, _truth(day, "some_clients_refused", "http_4xx", at, at)


@trouble
def traffic_gone(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A domain or a certificate is lost: the service is up and nobody arrives."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    at, length = day.hour(6, 19), day.between(90, 240)
    gone = day.during(at, length)
    day.traffic = day.traffic * (1 - gone * (1 if day.chance(0.7) else day.between(0.97, 0.995)))
    day.cpu = day.cpu * (1 - 0.9 * gone)
    return day, _truth(day, "traffic_gone", "silence", at, at, at + length)


# ---------------------------------------------------------------------- disk


@trouble
def disk_fills_within_hours(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A log without rotation, a runaway table."""
    day = healthy(rng)
    base, at, hours = day.between(0.2, 0.6), day.hour(2, 16), day.between(2, 8)
    day.disk = base + (1 - base) * np.clip((day.t - at) / (hours * 60), 0, 1)
    level = day.first((day.disk >= 0.8) & (day.t >= at))
    return day, _truth(
        day, "disk_fills_within_hours", "disk", at, min(day.near_limit(day.disk, at), level)
    )


@trouble
def disk_fills_within_a_day(rng: np.random.Generator) -> tuple[Day, Truth]:
    """The same, slower, on a database."""
    day = healthy(rng)
    without_http(day)
    base, at, hours = day.between(0.4, 0.7), day.hour(0, 5), day.between(12, 18)
    day.disk = base + (1 - base) * np.clip((day.t - at) / (hours * 60), 0, 1)
    day.disk = day.disk + day.between(0, 0.01) * day.sawtooth(30)
    clock = day.near_limit(day.disk, at)
    return day, _truth(day, "disk_fills_within_a_day", "disk", at, clock)


# ---------------------------------------------------------------------- together


@trouble
def worn_out(rng: np.random.Generator) -> tuple[Day, Truth]:
    """A leak to the end: slow, then failing, then killed."""
    day = healthy(rng)
    at = day.hour(2, 14)
    course, clock = _leak(day, at, day.between(2, 6))
    worn = np.clip((course - 0.7) / 0.3, 0, 1)
    _slower(day, 8000, worn)
    _failing(day, 0.9 * np.clip((course - 0.9) / 0.1, 0, 1))
    day.mem = np.minimum(day.mem, 0.99)
    return day, _truth(day, "worn_out", "memory latency http_5xx crash_loop", at, clock)


@trouble
def broken_among_deploys(rng: np.random.Generator) -> tuple[Day, Truth]:
    """Ten deployments, and the errors stay through all of them."""
    day = healthy(rng)
    at = day.hour(3, 12)
    for _ in range(10):
        day.deploy(day.between(at, MINUTES), rough=True)
    _failing(day, day.between(0.05, 0.2) * day.since(at))
    return day, _truth(day, "broken_among_deploys", "http_5xx", at, at)
