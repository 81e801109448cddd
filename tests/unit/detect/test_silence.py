from __future__ import annotations

from datetime import timedelta

import numpy as np

from tests.unit.detect.histories import END, ago, find, names, noise, web

DAY = ago(24)
STEADY = 100 * np.exp(noise(DAY, 0.1))


def _until(minutes: float, rate: np.ndarray = STEADY) -> np.ndarray:
    return np.where(-minutes <= DAY, 0.0, rate)


def test_traffic_that_is_gone_is_found() -> None:
    """Counted zeros for a window, where there were a hundred a minute."""
    (finding,) = find(web(DAY, per_minute=_until(40)))
    assert (finding.signal, finding.severity, finding.value) == ("silence", "critical", 0)
    assert abs(finding.onset - (END - timedelta(minutes=40))) <= timedelta(minutes=5)
    assert "traffic gone" in finding.reason


def test_a_gap_is_not_silence() -> None:
    """Requests that were not counted are no zeros, whether all is missing or HTTP alone."""
    gone = np.where(DAY >= -60, np.nan, STEADY)
    assert find(web(DAY, per_minute=gone)) == ()
    samples = web(DAY, per_minute=STEADY)
    assert find(samples[samples["ts"] < END - timedelta(minutes=60)]) == ()


def test_where_all_requests_are_counted_no_row_is_none() -> None:
    """Railway names no class that did not occur; the service itself is still measured."""
    gone = np.where(DAY >= -60, np.nan, STEADY)
    assert names(find(web(DAY, per_minute=gone), counted=["s1"])) == [("silence", "step")]
    samples = web(DAY, per_minute=gone)
    assert find(samples[samples["ts"] < END - timedelta(minutes=60)], counted=["s1"]) == ()


def test_a_short_pause_is_quiet() -> None:
    """A quarter of an hour, as maintenance takes."""
    assert find(web(DAY, per_minute=_until(15))) == ()


def test_what_falls_silent_every_day_is_quiet() -> None:
    """Office hours: traffic goes down to nothing, and it was as silent last night."""
    hours = (DAY / 60) % 24
    open_ = np.clip(np.minimum(hours - 8, 23 - hours), 0, 1)
    assert find(web(DAY, per_minute=200 * open_)) == ()


def test_traffic_in_bursts_is_quiet() -> None:
    """Webhooks with nothing between them."""
    assert find(web(DAY, per_minute=np.where(DAY % 60 < 10, 200.0, 0.0))) == ()
    assert find(web(DAY, per_minute=np.where((DAY + 30) % 60 < 10, 200.0, 0.0))) == ()


def test_few_visitors_may_stay_away() -> None:
    """A request every few minutes: half an hour without says nothing."""
    assert find(web(DAY, per_minute=_until(40, (DAY % 4 == 0) * 1.0))) == ()
