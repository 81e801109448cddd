from __future__ import annotations

import numpy as np
import pytest

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


def test_restarts_whose_middle_no_sample_met_are_counted() -> None:
    """A third of the memory is gone for a sample, again and again, and at once back."""
    fallen = (DAY >= -50) & (DAY % 10 == 0)
    found = find(worker(DAY, MEMORY_USAGE_GB=np.where(fallen, 0.26, 0.4)))
    assert names(found) == [("crash_loop", "counted")]


def test_a_crash_loop_is_over_when_there_was_no_restart_for_long() -> None:
    """Not as soon as one of them is more than an hour ago."""
    for last, is_found in ((-22, True), (-50, False)):
        fallen = np.isin(DAY, [last - 14 * place for place in range(4)])
        found = find(worker(DAY, MEMORY_USAGE_GB=np.where(fallen, 0.1, 0.4)))
        assert bool(found) == is_found, last


def test_two_deployments_in_a_row_are_no_crash_loop() -> None:
    """Each begins with little memory and takes its time to fill it."""
    memory = np.full(len(DAY), 0.5)
    for at in (-45, -22):
        memory *= 1 - 0.65 * (at <= DAY) * np.exp(-np.clip(DAY - at, 0, None) / 10)
    assert find(worker(DAY, MEMORY_USAGE_GB=memory)) == ()


@pytest.mark.parametrize(("usual", "briefly"), [(1.0, 2.0), (2.0, 1.0)])
def test_replicas_that_come_and_go_are_no_restarts(usual: float, briefly: float) -> None:
    """Memory and its limit double or halve for a minute or two."""
    replicas = np.where((DAY >= -55) & (DAY % 8 < 2), briefly, usual)
    found = find(worker(DAY, MEMORY_USAGE_GB=0.6 * replicas, MEMORY_LIMIT_GB=replicas))
    assert found == ()
