from __future__ import annotations

import numpy as np

from tests.unit.detect.histories import ago, find, names, web, worker

DAY = ago(12)


def _killed(every: float, since: float) -> np.ndarray:
    """Memory that climbs to its limit and begins anew."""
    age = (DAY - since) % every
    return np.where(since <= DAY, 0.3 + 0.7 * age / every, 0.3)


def test_counted_restarts_win_over_what_memory_shows() -> None:
    """The platform counted none: a heap that empties itself is nothing."""
    memory = np.where(DAY % 8 < 2, 0.1, 0.6)
    assert find(worker(DAY, MEMORY_USAGE_GB=memory, RESTARTS=0.0)) == ()
    (finding,) = find(worker(DAY, RESTARTS=np.where(DAY == -20, 1.0, 0.0)))
    assert (finding.signal, finding.severity, finding.value) == ("crash_loop", "warning", 1)


def test_memory_that_is_killed_at_its_limit_again_and_again_is_found() -> None:
    """As restarts, and for as long as it climbs again."""
    for every in (40, 120):
        for now in (5, 25, 35):
            found = find(worker(DAY, MEMORY_USAGE_GB=_killed(every, -3.0 * every - now)))
            crash = [f for f in found if f.signal == "crash_loop"]
            assert crash, (every, now)
            assert crash[0].severity == "critical"
            assert crash[0].value == 3


def test_a_deployment_of_a_service_with_much_memory_is_no_kill() -> None:
    """It was high and steady, and began anew once or twice."""
    age = np.where(DAY < -90, 1e9, (DAY + 90) % 60)
    memory = 0.93 * (1 - 0.5 * np.exp(-age / 6))
    assert "crash_loop" not in [
        signal for signal, _ in names(find(web(DAY, MEMORY_USAGE_GB=memory)))
    ]


def test_memory_that_is_empty_every_few_minutes_is_a_crash_loop() -> None:
    """Unlike before; a heap that was collected all day so is none."""
    age = np.where(DAY >= -80, (DAY + 80) % 8, 1e9)
    memory = 0.5 * (1 - 0.9 * np.exp(-age / 1.5))
    assert ("crash_loop", "counted") in names(find(worker(DAY, MEMORY_USAGE_GB=memory)))
    always = 0.5 * (1 - 0.9 * np.exp(-(DAY % 8) / 1.5))
    assert find(worker(DAY, MEMORY_USAGE_GB=always)) == ()


def test_what_sleeps_is_no_crash_loop() -> None:
    """Awake for some minutes, then gone for more."""
    memory = np.where(DAY % 20 < 6, 0.4, 0.001)
    assert find(web(DAY, MEMORY_USAGE_GB=memory, HTTP_2XX=np.where(DAY % 20 < 6, 10.0, 0.0))) == ()
