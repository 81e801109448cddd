from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from autofix.models import ServiceKind
from tests.unit.detect.histories import END, Array, ago, find, names, noise, rows, web, worker

DAY = ago(24)


def leak(t: Array, hours: float, since: float, base: float = 0.3) -> Array:
    """From its base to the limit in so many hours, beginning so many hours ago."""
    return base + np.clip((t + since * 60) / (hours * 60), 0, 1) * (1 - base)


def test_a_leak_is_found_hours_before_the_limit() -> None:
    """Memory that rises in a line at level traffic: how fast, how long is left, since when."""
    memory = leak(DAY, hours=7, since=2) + noise(DAY, 0.004)
    (finding,) = find(web(DAY, MEMORY_USAGE_GB=memory))
    assert names((finding,)) == [("memory", "trend")]
    assert finding.severity == "warning"
    assert finding.hours_left == pytest.approx(5, abs=0.5)
    assert finding.baseline == pytest.approx(30, abs=1)
    assert abs(finding.onset - (END - timedelta(hours=2))) < timedelta(minutes=15)
    assert finding.value == pytest.approx(49, abs=2)
    assert re.match(
        r"memory at 4\d\.\d % of its limit rises by (9|10)\.\d % of its", finding.reason
    )
    assert "full in about" in finding.reason


def test_a_leak_near_its_end_is_critical() -> None:
    """An hour or so is left."""
    (finding,) = find(worker(DAY, MEMORY_USAGE_GB=leak(DAY, 6, since=5)), ServiceKind.worker)
    assert (finding.signal, finding.severity) == ("memory", "critical")


def test_a_leak_whose_limit_is_far_is_quiet() -> None:
    """A day away from full is not hours away."""
    assert find(web(DAY, MEMORY_USAGE_GB=leak(DAY, 30, since=6))) == ()


def test_without_a_limit_there_is_nothing_to_reach() -> None:
    """No limit, or one that is a thousand times of what is used."""
    memory = leak(DAY, 5, since=3)
    assert find(web(DAY, MEMORY_USAGE_GB=memory, MEMORY_LIMIT_GB=np.nan)) == ()
    assert find(web(DAY, MEMORY_USAGE_GB=memory, MEMORY_LIMIT_GB=1000.0)) == ()


def test_memory_that_grows_with_traffic_is_no_leak() -> None:
    """Twice the users, more memory."""
    load = 1 + np.clip((DAY + 180) / 180, 0, 1)
    samples = web(DAY, per_minute=100 * load, MEMORY_USAGE_GB=0.1 + 0.3 * load)
    assert find(samples) == ()


def test_a_leak_is_seen_through_a_days_traffic() -> None:
    """Memory follows traffic and rises beyond it."""
    load = 1.5 + np.sin(2 * np.pi * DAY / 1440)
    memory = 0.1 * load + leak(DAY, 8, since=4, base=0.2) + noise(DAY, 0.004)
    found = find(web(DAY, per_minute=200 * load, MEMORY_USAGE_GB=memory))
    assert names(found) == [("memory", "trend")]


@pytest.mark.parametrize("period", [12, 45, 150])
def test_a_sawtooth_is_no_leak(period: int) -> None:
    """A heap that fills and is collected, whatever its period, was as full before."""
    memory = 0.3 + 0.45 * ((DAY - 7) % period) / period
    assert find(web(DAY, MEMORY_USAGE_GB=memory)) == ()


def test_a_leak_below_a_sawtooth_is_found() -> None:
    """Each collection leaves more behind."""
    memory = leak(DAY, 6, since=2.5) + 0.08 * (DAY % 10) / 10
    assert names(find(web(DAY, MEMORY_USAGE_GB=memory)))[0] == ("memory", "trend")


def test_a_cache_that_fills_after_a_restart_is_no_leak() -> None:
    """It rises slower and slower, and will stay below the limit."""
    for minutes in (40, 60, 90):
        age = np.clip(DAY + minutes, 0, None)
        filled = 0.25 + 0.35 * (1 - np.exp(-age / 35))
        memory = np.where(-minutes > DAY, 0.35, filled) + noise(DAY, 0.003)
        assert find(web(DAY, MEMORY_USAGE_GB=memory)) == (), minutes


def test_a_step_of_memory_is_no_leak() -> None:
    """A heavier version needs more, and no more than that."""
    assert find(web(DAY, MEMORY_USAGE_GB=np.where(DAY < -50, 0.3, 0.6))) == ()


def test_a_rise_whose_beginning_nobody_saw_is_not_judged_by_its_slope() -> None:
    """Two hours of history that only rise may be a slow sawtooth."""
    t = ago(2.5)
    assert find(web(t, MEMORY_USAGE_GB=leak(t, 6, since=2.5))) == ()


def test_memory_that_came_down_again_is_over() -> None:
    """A restart ends a leak's finding."""
    memory = np.where(DAY > -20, 0.3, leak(DAY, 6, since=3))
    assert find(web(DAY, MEMORY_USAGE_GB=memory)) == ()


def test_a_volume_that_fills_up_is_found() -> None:
    """Long before it is full; one that is years away is not."""
    t = DAY
    filling = rows(t, CPU_USAGE=0.1, DISK_USAGE_GB=10 * leak(t, 8, since=3), DISK_LIMIT_GB=10.0)
    (finding,) = find(filling, ServiceKind.database)
    assert names((finding,)) == [("disk", "trend")]
    assert finding.hours_left == pytest.approx(5, abs=0.5)
    slow = rows(t, CPU_USAGE=0.1, DISK_USAGE_GB=5 + 0.001 * t / 1440, DISK_LIMIT_GB=10.0)
    assert find(slow, ServiceKind.database) == ()


def test_a_baseline_at_a_longer_step_is_enough() -> None:
    """In a large environment the day before is read once an hour, the window every minute."""
    long, short = ago(24, step=3600)[:-1], ago(0.5)
    parts = [web(t, MEMORY_USAGE_GB=leak(t, 9, since=6)) for t in (long, short)]
    assert ("memory", "trend") in names(find(pd.concat(parts)))
