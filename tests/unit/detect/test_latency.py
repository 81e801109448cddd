from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from autofix.parameters import Rules, ServiceOverride
from tests.unit.detect.histories import END, ago, find, names, noise, web

DAY = ago(12)


def slow(to: float, since: float, before: float = 80.0) -> np.ndarray:
    return np.where(since <= DAY, to, before) * np.exp(noise(DAY, 0.1))


@pytest.mark.parametrize(("to", "severity"), [(1400, "warning"), (5000, "critical")])
def test_slow_requests_are_found_within_minutes(to: float, severity: str) -> None:
    """Nine minutes of it are enough."""
    (finding,) = find(web(DAY, HTTP_P95_MS=slow(to, since=-9)))
    assert (finding.signal, finding.severity) == ("latency", severity)
    assert abs(finding.onset - (END - timedelta(minutes=9))) <= timedelta(minutes=1)
    assert finding.baseline == pytest.approx(80, rel=0.1)


def test_a_few_slow_minutes_are_quiet() -> None:
    """A backup, a garbage collection, a cold start."""
    p95 = np.where((DAY >= -15) & (DAY < -10), 8000.0, 80.0)
    assert find(web(DAY, HTTP_P95_MS=p95)) == ()


def test_what_is_slow_by_nature_is_quiet() -> None:
    """A second and a half is what it always takes; far more than that is named all the same."""
    assert find(web(DAY, HTTP_P95_MS=1500 * np.exp(noise(DAY, 0.1)))) == ()
    assert names(find(web(DAY, HTTP_P95_MS=6000.0))) == [("latency", "level")]


def test_a_regression_below_the_levels_is_a_step() -> None:
    """Many times slower than its own normal at the same traffic."""
    (finding,) = find(web(DAY, HTTP_P95_MS=slow(560, since=-40)))
    assert names((finding,)) == [("latency", "step")]
    assert finding.baseline == pytest.approx(80, rel=0.1)
    assert finding.reason.startswith("p95 5")
    assert ", normally 8" in finding.reason or ", normally 7" in finding.reason


def test_a_step_stays_found_for_hours() -> None:
    """It does not become normal because it lasts."""
    assert names(find(web(DAY, HTTP_P95_MS=slow(560, since=-400)))) == [("latency", "step")]


def test_a_service_may_have_its_own_factor() -> None:
    """What is a regression for one is nothing for another."""
    rules = Rules(overrides=(ServiceOverride(service="api", step_factor=10),))
    assert find(web(DAY, HTTP_P95_MS=slow(560, since=-40)), rules=rules) == ()


def test_what_is_fast_is_never_slow() -> None:
    """Ten times slower, and still nobody notices."""
    assert find(web(DAY, HTTP_P95_MS=slow(150, since=-40, before=12))) == ()


def test_latency_that_follows_traffic_is_quiet() -> None:
    """Three times slower with ten times the users, as every evening."""
    load = np.clip((DAY + 200) / 180, 0, 1)
    samples = web(DAY, per_minute=50 + 450 * load, HTTP_P95_MS=120 + 300 * load)
    assert find(samples) == ()


def test_few_requests_say_nothing() -> None:
    """One request a minute, and each is slow: less than the least number in the window."""
    assert find(web(DAY, per_minute=0.5, HTTP_P95_MS=slow(9000, since=-30))) == ()


def test_samples_far_apart_are_enough() -> None:
    """Two of five minutes each for what is critical, three for a warning."""
    t = ago(12, step=300)
    for to, samples, found in ((9000, 2, 1), (9000, 1, 0), (1500, 3, 1), (1500, 2, 0)):
        p95 = np.where(-5 * samples <= t, to, 80.0)
        assert len(find(web(t, per_minute=500.0, HTTP_P95_MS=p95))) == found, (to, samples)


def test_percentiles_may_come_less_often_than_the_rest() -> None:
    """CPU every minute, HTTP every five."""
    five = DAY % 5 == 0
    counts = np.where(five, 500.0, np.nan)
    p95 = np.where(five, np.where(DAY >= -25, 5000.0, 80.0), np.nan)
    samples = web(DAY, HTTP_2XX=counts, HTTP_P95_MS=p95, HTTP_P50_MS=np.nan, HTTP_P99_MS=np.nan)
    assert names(find(samples)) == [("latency", "level")]
