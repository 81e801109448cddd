from __future__ import annotations

from email.utils import formatdate

import pytest

from autofix.errors import RailwayError
from autofix.observe.pace import Pace, share_pace


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pace(time: Time) -> Pace:
    return Pace(10, 60, time.clock, time.sleep)


def test_requests_are_spread_evenly(time: Time, pace: Pace) -> None:
    """Ten a second: the eleventh starts a second after the first."""
    for _ in range(11):
        pace.wait()
    assert time.now == pytest.approx(1_001)
    time.sleep(5)
    pace.wait()
    assert time.now == pytest.approx(1_006), "no wait after a pause"


@pytest.mark.parametrize(("per_hour", "seconds"), [("1000", 5.0), ("10000", 1.0), ("soon", 5.0)])
def test_the_plan_that_an_answer_names_sets_the_rate(
    time: Time, pace: Pace, per_hour: str, seconds: float
) -> None:
    """Fifty a second on the plans that have them, ten on any other."""
    pace.note({"X-RateLimit-Limit": per_hour})
    for _ in range(51):
        pace.wait()
    assert time.now == pytest.approx(1_000 + seconds)


def test_clients_with_the_same_token_share_their_pace() -> None:
    """Each task has a client of its own, and the limit is the token's."""
    one, same = (share_pace("https://a.test", "token", 10, 60) for _ in range(2))
    assert one is same
    assert one is not share_pace("https://a.test", "other", 10, 60)


def test_a_hold_is_for_everybody(time: Time, pace: Pace) -> None:
    """What one request was told to wait, the others wait too."""
    pace.hold(7)
    pace.hold(3)
    pace.wait()
    assert time.now == pytest.approx(1_007)


def headers(remaining: str, reset_in: int) -> dict[str, str]:
    return {
        "X-RateLimit-Remaining": remaining,
        "X-RateLimit-Reset": str(1_700_000_000 + reset_in),
        "Date": formatdate(1_700_000_000, usegmt=True),
    }


def test_nothing_remaining_waits_for_the_reset_by_the_servers_clock(time: Time, pace: Pace) -> None:
    """The reset is compared with the answer's date, not with any clock of ours."""
    pace.note(headers("1", 30))
    pace.wait()
    assert time.now == pytest.approx(1_000)
    pace.note(headers("0", 30))
    pace.wait()
    assert time.now == pytest.approx(1_030)


def test_a_reset_beyond_our_patience_is_an_error_with_its_length(time: Time, pace: Pace) -> None:
    """Nobody sleeps for an hour; it may succeed after it."""
    pace.note(headers("0", 3_000))
    with pytest.raises(RailwayError, match="new ones in 3000 s") as caught:
        pace.wait()
    assert (caught.value.retryable, caught.value.retry_after) == (True, 3_000)
    assert time.now == 1_000


@pytest.mark.parametrize(
    "headers",
    [{}, {"X-RateLimit-Remaining": "0"}, headers("0", 30) | {"Date": "soon"}, headers("0", -5)],
)
def test_headers_that_say_nothing_hold_nothing(
    time: Time, pace: Pace, headers: dict[str, str]
) -> None:
    """Missing, unreadable and past resets are no wait."""
    pace.note(headers)
    pace.wait()
    assert time.now == 1_000
