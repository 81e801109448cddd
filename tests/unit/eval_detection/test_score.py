from __future__ import annotations

import math

import numpy as np
import pytest

from tests.eval_detection.__main__ import draw
from tests.eval_detection.day import Truth
from tests.eval_detection.quiet import QUIET
from tests.eval_detection.score import Outcome, Said, judge_day, summarise
from tests.eval_detection.trouble import TROUBLE

SICK = Truth("sick", frozenset({"latency"}), begins=600, clock=620, ends=900)
QUIET_DAY = Truth("quiet")


def outcome(truth: Truth, *minutes: float, signal: str = "latency") -> Outcome:
    return judge_day("s", truth, [Said(m, "s", signal, m - 20) for m in minutes])


def test_a_delay_counts_from_the_clock() -> None:
    """Not from the beginning; what is found earlier has none."""
    assert outcome(SICK, 640, 650).found == 20
    assert outcome(SICK, 610).found == 0
    assert math.isnan(outcome(SICK).found)


def test_what_was_said_before_anything_was_wrong_is_false() -> None:
    """Also when the trouble then meets it; the trouble is found all the same."""
    early = outcome(SICK, 100)
    assert (early.false, early.episodes, math.isnan(early.found)) == ((100,), 0, True)
    met = outcome(SICK, 590, 600, 610, 620)
    assert (met.false, met.found) == ((590,), 0)


def test_a_long_pause_makes_two_episodes() -> None:
    """Three quiet ticks between two findings; what comes long after the end is false."""
    assert outcome(SICK, 640, 670).episodes == 1
    assert outcome(SICK, 640, 680).episodes == 2
    assert outcome(SICK, 640, 990).false == (990,)


def test_the_signal_is_right_when_it_is_named_early() -> None:
    """Within half an hour of the first word."""
    assert outcome(SICK, 640).signal_right
    assert not outcome(SICK, 640, signal="cpu").signal_right


def test_the_score_counts_incidents() -> None:
    """Recall of troubles, precision of incidents, false ones a quiet day."""
    found, late, never = outcome(SICK, 640), outcome(SICK, 700), outcome(SICK)
    score = summarise([found, late, never, outcome(QUIET_DAY), outcome(QUIET_DAY, 50, 500)])
    assert score.recall60 == pytest.approx(1 / 3)
    assert score.precision == pytest.approx(1 / 3)
    assert score.f1 == pytest.approx(1 / 3)
    assert score.false_per_quiet_day == 1
    assert score.median_delay == 50
    assert len(score.missed) == 4
    assert summarise([found, outcome(QUIET_DAY)]).missed == [
        "median delay 20.0 minutes, at most 15"
    ]


def test_there_are_enough_kinds() -> None:
    """Of both."""
    assert min(len(TROUBLE), len(QUIET)) >= 25


def test_a_seed_draws_the_same_days() -> None:
    """Whatever else is drawn beside; another seed draws others, and names tell nothing."""
    truths, samples = draw(3, ["slow_leak", "steady_web"])
    alone = draw(3, ["steady_web"])[1]
    beside = samples[samples["service"] == "service-001"].reset_index(drop=True)
    np.testing.assert_array_equal(beside["value"], alone["value"])
    assert not alone.equals(draw(4, ["steady_web"])[1])
    assert set(truths) == {"service-000", "service-001"}
    assert truths["service-000"].clock >= truths["service-000"].begins
