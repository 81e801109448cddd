from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from autofix.models import Deployment
from tests.unit.detect.histories import END, ago, find, names, rows, web

DAY = ago(12)


def test_few_errors_in_much_traffic_are_found() -> None:
    """Two percent of many requests is a warning within half an hour."""
    failed = np.where(DAY >= -20, 4.0, 0.0)
    (finding,) = find(web(DAY, per_minute=200 - failed, HTTP_5XX=failed))
    assert (finding.signal, finding.severity) == ("http_5xx", "warning")
    assert finding.onset == END - timedelta(minutes=20)
    assert finding.baseline == 0


@pytest.mark.parametrize("minutes", [1, 2, 3])
def test_a_burst_is_no_rate(minutes: int) -> None:
    """A few minutes of errors, as a deployment makes them, weigh on the mean and are over."""
    failed = np.where((DAY >= -12) & (-12 + minutes > DAY), 60.0, 0.0) + (DAY % 7 == 0)
    assert find(web(DAY, per_minute=200 - failed, HTTP_5XX=failed)) == ()


def test_bursts_that_come_again_and_again_are_found() -> None:
    """A process that dies every few minutes fails for one of them."""
    failed = np.where((DAY >= -25) & (DAY % 6 == 0), 80.0, 0.0)
    found = find(web(DAY, per_minute=100 - failed, HTTP_5XX=failed))
    assert ("http_5xx", "level") in names(found)


def test_bursts_are_over_when_there_is_none_for_long() -> None:
    """Calm between two of them is no end; three in an hour are not enough."""
    for last, number in ((-24, 4), (-50, 0), (-3, 3)):
        bursts = [last - 14 * place for place in range(number or 4)]
        failed = np.where(np.isin(DAY, bursts), 80.0, 0.0)
        found = find(web(DAY, per_minute=100 - failed, HTTP_5XX=failed))
        assert bool(found) == (number == 4), last


@pytest.mark.parametrize("calm", [5, 10])
def test_errors_that_come_and_go_stay_one_trouble(calm: int) -> None:
    """At every tick of an hour, whether errors occur just then or not."""
    for shift in range(0, 60, 10):
        on = ((DAY + shift) % (10 + calm) < 10) & (DAY >= -180)
        failed = np.where(on, 30.0, 0.0)
        assert find(web(DAY, per_minute=100 - failed, HTTP_5XX=failed)), shift


def test_errors_that_ended_are_over() -> None:
    """Half an hour of calm ends a trouble."""
    failed = np.where((DAY >= -120) & (DAY < -30), 30.0, 0.0)
    assert find(web(DAY, per_minute=100 - failed, HTTP_5XX=failed)) == ()


def test_one_error_in_ten_requests_is_quiet() -> None:
    """A request every three minutes, and some fail: too few to say anything."""
    asked = (DAY % 3 == 0).astype(float)
    failed = (DAY % 30 == 0).astype(float)
    assert find(web(DAY, per_minute=asked - failed, HTTP_5XX=failed)) == ()


def test_an_error_rate_far_above_its_own_normal_is_a_step() -> None:
    """Below the warning level, and many times what the service is used to."""
    failed = np.where(DAY >= -40, 14.0, (DAY % 60 == 0) * 1.0)
    (finding,) = find(web(DAY, per_minute=2000 - failed, HTTP_5XX=failed))
    assert names((finding,)) == [("http_5xx", "step")]
    assert finding.value == pytest.approx(0.7, abs=0.05)


def test_samples_far_apart_are_enough() -> None:
    """At five minutes a sample."""
    t = ago(12, step=300)
    failed = np.where(t >= -25, 60.0, 0.0)
    (finding,) = find(web(t, per_minute=500 - failed, HTTP_5XX=failed))
    assert (finding.signal, finding.severity) == ("http_5xx", "critical")


# ------------------------------------------------------------------ client errors


def _refused(share: float, since: float, total: float = 100.0) -> dict[str, np.ndarray]:
    refused = np.where(since <= DAY, share, 0.01) * total
    return {"HTTP_2XX": total - refused, "HTTP_4XX": refused}


def test_requests_that_used_to_be_answered_are_found() -> None:
    """A login breaks: refused ones rise by what answered ones fall."""
    (finding,) = find(web(DAY, **_refused(0.4, since=-30)))
    assert (finding.signal, finding.severity) == ("http_4xx", "critical")
    assert finding.baseline == pytest.approx(1, abs=0.1)


def test_they_are_found_for_as_long_as_it_lasts() -> None:
    """Three hours later too, with a day's traffic going on."""
    day = 1 + 0.5 * np.sin(2 * np.pi * DAY / 1440)
    columns = {name: day * values for name, values in _refused(0.4, since=-180).items()}
    assert names(find(web(DAY, **columns))) == [("http_4xx", "level")]


@pytest.mark.parametrize("rate", [20, 100, 500])
def test_scanners_beside_the_usual_traffic_are_quiet(rate: float) -> None:
    """However many: what is answered stays as it was."""
    scans = np.where(DAY >= -40, rate, 0.0)
    assert find(web(DAY, HTTP_2XX=100.0, HTTP_4XX=1 + scans)) == ()


def test_an_api_that_always_refuses_some_is_quiet() -> None:
    """A third of 401 all day is how it works."""
    assert find(web(DAY, HTTP_2XX=100.0, HTTP_4XX=50.0)) == ()


def test_without_a_baseline_levels_decide() -> None:
    """What is normal is not known, so the level is named."""
    samples = web(ago(0.5), HTTP_2XX=60.0, HTTP_4XX=40.0)
    assert names(find(samples, history=False)) == [("http_4xx", "level")]
    assert find(samples) == ()


def test_a_deployment_shortly_before_the_onset_is_named() -> None:
    """With its commit; one that failed to build, or came later, is not."""

    def deployment(name: str, minutes: float, status: str = "SUCCESS") -> Deployment:
        at = END - timedelta(minutes=minutes)
        return Deployment(
            id=name, service_id="s1", status=status, created_at=at, commit=name[0] * 40
        )

    failed = np.where(DAY >= -20, 10.0, 0.0)
    deployments = [
        deployment("f-later", 10),
        deployment("e-broken", 21, "FAILED"),
        deployment("d-right", 24),
        deployment("c-before", 40),
    ]
    found = find(web(DAY, per_minute=100 - failed, HTTP_5XX=failed), deployments=deployments)
    finding = next(f for f in found if f.signal == "http_5xx")
    assert finding.deployment_id == "d-right"
    assert finding.reason.endswith("since 14:10 UTC, after deployment ddddddd")


def test_a_gap_in_the_middle_is_no_calm() -> None:
    """Errors, then nothing measured: the trouble is not over."""
    failed = np.where(DAY >= -60, 30.0, 0.0)
    samples = web(DAY, per_minute=100 - failed, HTTP_5XX=failed)
    late = samples["ts"] >= END - timedelta(minutes=25)
    assert names(find(samples[~late])) == [("http_5xx", "level")]


def test_percentiles_without_counts_are_not_judged() -> None:
    """Whether anybody asked is not known."""
    assert find(rows(DAY, CPU_USAGE=0.1, HTTP_P95_MS=9000.0)) == ()
