"""Days on which nothing is to be found, however they look."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.eval_detection.day import MINUTES, Day, healthy, without_http

Make = Callable[[np.random.Generator], Day]
QUIET: dict[str, Make] = {}


def quiet(make: Make) -> Make:
    """Register a kind under its function's name."""
    QUIET[make.__name__] = make
    return make


@quiet
def steady_web(rng: np.random.Generator) -> Day:
    return healthy(rng)


@quiet
def steady_busy_site(rng: np.random.Generator) -> Day:
    return healthy(rng, "high")


@quiet
def spiky_cpu(rng: np.random.Generator) -> Day:
    """Short bursts to the limit, often."""
    day = healthy(rng)
    for _ in range(rng.integers(30, 120)):
        level = day.cpu_limit * day.between(0.85, 1.0)
        burst = day.during(day.hour(0, 24), day.between(0.5, 6))
        day.cpu = np.where(burst > 0, level, day.cpu)
    return day


@quiet
def busy_and_fine(rng: np.random.Generator) -> Day:
    """High CPU all day, fast and without errors."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    day.cpu = day.cpu_limit * day.between(0.75, 0.97) * day.wander(0.02, 30)
    day.cpu_noise = 0.03
    return day


@quiet
def busy_at_the_peak(rng: np.random.Generator) -> Day:
    """CPU follows the traffic up to the limit."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    load = day.traffic / day.traffic.max()
    day.cpu = day.cpu_limit * (0.1 + day.between(0.75, 0.88) * load)
    day.cpu_noise = 0.03
    return day


@quiet
def cron_bursts(rng: np.random.Generator) -> Day:
    """A cron: all of its CPU and memory for some minutes, then nothing."""
    day = healthy(rng)
    without_http(day)
    every, length = float(rng.choice([15, 30, 60, 120, 360])), day.between(2, 12)
    active = (day.t % every) < length
    day.cpu = np.where(active, day.cpu_limit * day.between(0.8, 1.0), 0.0)
    day.mem = np.where(active, day.between(0.3, 0.8), 0.02)
    if day.chance(0.5):
        day.down |= ~active
    return day


@quiet
def nightly_batch(rng: np.random.Generator) -> Day:
    """Work at night at full CPU, with more memory, that ends by itself."""
    day = healthy(rng)
    begin, length = day.hour(0.5, 22), day.between(30, 150)
    work = day.during(begin, length)
    day.cpu = np.maximum(day.cpu, work * day.cpu_limit * day.between(0.85, 1.0))
    day.mem = day.mem + work * day.between(0, 0.2)
    if day.chance(0.5):
        without_http(day)
    return day


@quiet
def one_error_in_tiny_traffic(rng: np.random.Generator) -> Day:
    """A few requests an hour, some of which fail."""
    day = healthy(rng, "tiny")
    day.traffic = day.traffic * day.between(0.2, 1)
    day.share5 = day.between(0.01, 0.1) * np.ones(len(day.t))
    return day


@quiet
def scanners(rng: np.random.Generator) -> Day:
    """Somebody looks for holes: many 404 beside the usual traffic."""
    day = healthy(rng, str(rng.choice(["low", "mid", "mid"])))
    for _ in range(rng.integers(1, 6)):
        rate = day.traffic.mean() * day.log_between(0.2, 4)
        day.extra4 = day.extra4 + rate * day.during(day.hour(0, 24), day.log_between(3, 90))
    return day


@quiet
def scanners_all_day(rng: np.random.Generator) -> Day:
    """Bots that never stop."""
    day = healthy(rng, str(rng.choice(["low", "mid"])))
    day.extra4 = day.traffic.mean() * day.between(0.1, 0.5) * day.wander(0.3, 60)
    return day


@quiet
def steady_4xx(rng: np.random.Generator) -> Day:
    """An API whose clients ask without a token first."""
    day = healthy(rng)
    day.share4 = day.between(0.1, 0.35) * day.wander(0.04, 60)
    return day


@quiet
def rolling_deploys(rng: np.random.Generator) -> Day:
    """A busy team: many deployments, each with a rough minute."""
    day = healthy(rng)
    for _ in range(rng.integers(4, 12)):
        day.deploy(day.hour(0, 24), rough=True)
    return day


@quiet
def deploy_with_slow_start(rng: np.random.Generator) -> Day:
    """Cold caches make the first minutes slow."""
    day = healthy(rng)
    for _ in range(rng.integers(1, 4)):
        begin = day.hour(0, 24)
        day.deploy(begin, rough=day.chance(0.5))
        day.p50 = day.p50 * (1 + day.between(2, 15) * day.during(begin, day.between(2, 6)))
    return day


@quiet
def minute_of_errors(rng: np.random.Generator) -> Day:
    """A burst of 5xx that clients try again, now and then."""
    day = healthy(rng)
    for _ in range(rng.integers(1, 7)):
        burst = day.during(day.hour(0, 24), day.between(0.6, 2.0))
        day.share5 = np.maximum(day.share5, day.between(0.05, 0.7) * burst)
    return day


@quiet
def a_few_errors_all_day(rng: np.random.Generator) -> Day:
    """Below every level, all day."""
    day = healthy(rng)
    day.share5 = day.between(0.001, 0.005) * day.wander(0.2, 30)
    return day


@quiet
def short_slow_spells(rng: np.random.Generator) -> Day:
    """A few slow minutes, as a backup or a garbage collection makes them."""
    day = healthy(rng)
    for _ in range(rng.integers(2, 8)):
        day.p50 = day.p50 * (
            1 + day.between(2, 12) * day.during(day.hour(0, 24), day.between(1, 5))
        )
    return day


@quiet
def garbage_collected(rng: np.random.Generator) -> Day:
    """A heap that fills and is emptied every few minutes."""
    day = healthy(rng)
    top = day.between(0.5, 0.85)
    day.mem = day.between(0.2, 0.4) + (top - 0.4) * day.sawtooth(day.log_between(4, 40))
    return day


@quiet
def slow_garbage_collection(rng: np.random.Generator) -> Day:
    """A heap that takes hours to fill and is then emptied."""
    day = healthy(rng)
    low, top = day.between(0.25, 0.4), day.between(0.5, 0.8)
    day.mem = low + (top - low) * day.sawtooth(day.log_between(90, 300), 0.05)
    return day


@quiet
def cache_that_fills(rng: np.random.Generator) -> Day:
    """After a deployment memory rises for a while, slower and slower, and stays."""
    day = healthy(rng)
    begin, tau = day.hour(2, 20), day.log_between(8, 60)
    rise = (day.t >= begin) * (1 - np.exp(-np.clip(day.t - begin, 0, None) / tau))
    day.deploy(begin)
    low = day.between(0.2, 0.35)
    day.mem = np.where(day.t < begin, day.mem, low) + day.between(0.2, 0.4) * rise
    return day


@quiet
def a_heavier_version(rng: np.random.Generator) -> Day:
    """From a deployment on the service needs more memory, and no more than that."""
    day = healthy(rng)
    begin = day.hour(2, 22)
    day.deploy(begin)
    day.mem = day.mem + day.between(0.1, 0.3) * day.ramp(begin, day.between(1, 10))
    return day


@quiet
def memory_follows_traffic(rng: np.random.Generator) -> Day:
    """Sessions and buffers: more users, more memory."""
    day = healthy(rng)
    load = day.traffic / day.traffic.max()
    day.mem = day.between(0.15, 0.3) + day.between(0.2, 0.5) * load
    return day


@quiet
def memory_follows_work(rng: np.random.Generator) -> Day:
    """A worker: more jobs, more CPU and more memory."""
    day = healthy(rng)
    load = day.traffic / day.traffic.max()
    day.mem = day.between(0.15, 0.3) + day.between(0.2, 0.5) * load
    without_http(day)
    return day


@quiet
def high_and_steady_memory(rng: np.random.Generator) -> Day:
    """A cache, or a heap of fixed size, near its limit all day."""
    day = healthy(rng)
    day.mem = day.between(0.75, 0.94) * day.wander(0.004, 60)
    day.mem_noise = 0.002
    if day.chance(0.5):
        without_http(day)
    return day


@quiet
def database_with_page_cache(rng: np.random.Generator) -> Day:
    """Memory used as a cache up to a share of the limit; it was filled long ago."""
    day = healthy(rng)
    without_http(day)
    day.mem = day.between(0.6, 0.92) * day.wander(0.01, 60)
    day.disk = day.between(0.1, 0.7) + day.between(0, 0.02) * day.t / MINUTES
    day.disk_size = float(rng.choice([5, 50, 500]))
    return day


@quiet
def no_limits(rng: np.random.Generator) -> Day:
    """Nothing says how much there is."""
    day = healthy(rng)
    day.limits = False
    day.mem_limit = day.mem_limit * 100
    day.mem = day.mem * (1 + day.between(0, 3) * day.t / MINUTES)
    return day


@quiet
def huge_limits(rng: np.random.Generator) -> Day:
    """A plan's default: a terabyte."""
    day = healthy(rng)
    day.mem_limit = 1000 / day.mem_size * np.ones(len(day.t))
    day.cpu_limit = 1000 * np.ones(len(day.t))
    day.mem = day.mem * (1 + day.between(0, 4) * day.t / MINUTES)
    return day


@quiet
def slow_growth(rng: np.random.Generator) -> Day:
    """A leak, or just more data, that is days away from any limit."""
    day = healthy(rng)
    day.mem = day.between(0.2, 0.5) + day.between(0.02, 0.1) * day.t / MINUTES
    return day


@quiet
def idle_worker(rng: np.random.Generator) -> Day:
    """No HTTP, next to no CPU, some jobs."""
    day = healthy(rng)
    without_http(day)
    day.cpu = day.cpu * 0.05
    for _ in range(rng.integers(5, 40)):
        day.cpu = day.cpu + day.cpu_limit * day.between(0.1, 0.9) * day.during(
            day.hour(0, 24), day.between(1, 20)
        )
    return day


@quiet
def disk_that_grows_slowly(rng: np.random.Generator) -> Day:
    """Years, or at least many days, away from full."""
    day = healthy(rng)
    without_http(day)
    day.disk = day.between(0.2, 0.75) + day.log_between(0.0005, 0.02) * day.t / MINUTES
    return day


@quiet
def rotated_logs(rng: np.random.Generator) -> Day:
    """A volume that fills and is cleaned again and again."""
    day = healthy(rng)
    low = day.between(0.2, 0.5)
    day.disk = low + day.between(0.05, 0.25) * day.sawtooth(day.log_between(60, 480), 0.03)
    return day


@quiet
def maintenance_at_night(rng: np.random.Generator) -> Day:
    """A quarter or half an hour without any traffic when few are awake."""
    day = healthy(rng, str(rng.choice(["low", "mid"])))
    least = float(day.t[int(np.argmin(day.traffic))])
    begin = float(np.clip(least, 120, MINUTES - 60))
    day.traffic = day.traffic * (1 - day.during(begin, day.between(10, 30)))
    return day


@quiet
def sleeper(rng: np.random.Generator) -> Day:
    """Sleeps when nobody asks; a handful of visits a day."""
    day = healthy(rng, "low")
    awake = np.zeros(len(day.t))
    for _ in range(rng.integers(4, 15)):
        awake = np.maximum(awake, day.during(day.hour(0, 24), day.between(5, 60)))
    day.traffic = day.traffic * awake
    day.cpu, day.mem = day.cpu * awake, day.mem * awake
    if day.chance(0.5):
        day.down |= awake == 0
    return day


@quiet
def office_hours(rng: np.random.Generator) -> Day:
    """An internal tool: nothing at night, and a lunch break."""
    day = healthy(rng, str(rng.choice(["low", "mid"])))
    begin = day.hour(5, 9)
    open_ = day.ramp(begin, 60) * (1 - day.ramp(begin + 600, 90))
    lunch = 1 - 0.5 * day.during(begin + 270, 60)
    day.traffic = day.traffic * open_ * lunch
    day.cpu = day.cpu * (0.1 + 0.9 * open_ * lunch)
    return day


@quiet
def low_traffic_with_noisy_percentiles(rng: np.random.Generator) -> Day:
    """Some requests are slow by nature, and few are measured at a time."""
    day = healthy(rng, "low")
    day.traffic = day.traffic * day.between(0.2, 0.6)
    day.spread = day.between(1.0, 1.5) * np.ones(len(day.t))
    day.p50 = day.p50 * np.minimum(1, 600 / day.p95)
    return day


@quiet
def latency_follows_traffic(rng: np.random.Generator) -> Day:
    """Twice or three times slower when everybody is there."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    load = day.traffic / day.traffic.max()
    day.p50 = day.between(8, 60) * (1 + day.between(1, 2.5) * load**2)
    day.p50 = day.p50 * np.minimum(1, 750 / day.p95.max())
    return day


@quiet
def slow_by_nature(rng: np.random.Generator) -> Day:
    """Reports, documents, models: a second or two is what it takes."""
    day = healthy(rng, str(rng.choice(["low", "mid"])))
    day.p50 = day.p50 * (day.between(1100, 2400) / day.p95.mean())
    day.p50 = day.p50 / day.p95 * day.p95.mean() * day.wander(0.05, 30)
    return day


@quiet
def full_of_gaps(rng: np.random.Generator) -> Day:
    """The collector is away for minutes, and once for longer."""
    day = healthy(rng)
    for _ in range(rng.integers(5, 30)):
        day.gap(day.hour(0, 24), day.log_between(1, 15))
    day.gap(day.hour(0, 23), day.between(30, 120))
    return day


@quiet
def flash_crowd(rng: np.random.Generator) -> Day:
    """Three times the traffic for an hour or two, and the service copes."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    begin, length, factor = day.hour(1, 21), day.between(20, 150), day.between(1.5, 4)
    crowd = day.ramp(begin, 10) * (1 - day.ramp(begin + length, 20))
    day.traffic = day.traffic * (1 + (factor - 1) * crowd)
    day.cpu = np.minimum(day.cpu * (1 + (factor - 1) * 0.8 * crowd), 0.95 * day.cpu_limit)
    day.mem = day.mem + day.between(0, 0.15) * crowd
    day.p50 = day.p50 * (1 + day.between(0, 0.6) * crowd)
    return day


@quiet
def scaled_by_load(rng: np.random.Generator) -> Day:
    """Replicas come and go, and with them the limits and the memory."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    load = day.traffic / day.traffic.max()
    replicas = np.ceil(load * rng.integers(2, 6))
    day.mem_limit = replicas * np.ones(len(day.t))
    day.mem = day.mem * replicas
    day.cpu_limit = day.cpu_limit * replicas
    day.cpu = (
        day.cpu_limit * day.between(0.3, 0.65) * np.clip(load * replicas.max() / replicas, 0, 1)
    )
    return day


@quiet
def bursty_webhooks(rng: np.random.Generator) -> Day:
    """Deliveries in batches with nothing between them."""
    day = healthy(rng, "mid")
    every, length = float(rng.choice([20, 30, 60])), day.between(3, 10)
    day.traffic = day.traffic * 3 * ((day.t % every) < length)
    return day


@quiet
def limit_is_changed(rng: np.random.Generator) -> Day:
    """A person halves or doubles the memory."""
    day = healthy(rng)
    day.mem = day.mem * min(1.0, 0.4 / float(day.mem.max()))
    at, factor = day.hour(2, 22), float(rng.choice([0.5, 2]))
    day.mem_limit = np.where(day.t >= at, factor, 1.0)
    return day


@quiet
def evening_peak_with_everything(rng: np.random.Generator) -> Day:
    """Traffic, CPU, memory and latency all rise for some hours, and all fall again."""
    day = healthy(rng, str(rng.choice(["mid", "high"])))
    begin, up = day.hour(3, 16), day.between(60, 240)
    wave = day.ramp(begin, up) * (1 - day.ramp(begin + up + day.between(30, 180), 120))
    day.traffic = day.traffic * (1 + day.between(1, 3) * wave)
    day.cpu = np.minimum(day.cpu * (1 + day.between(1, 2) * wave), 0.93 * day.cpu_limit)
    day.mem = day.mem * (1 + day.between(0.1, 0.5) * wave)
    day.p50 = day.p50 * (1 + day.between(0, 0.8) * wave)
    return day
