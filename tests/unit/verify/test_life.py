from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from inline_snapshot import snapshot

from autofix.detect.incidents import MemoryIncidentStore
from autofix.models import IncidentState, Outcome, Service, Signal
from tests.unit.verify.line import EVERY, Line, trouble

START = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
TICKS = 144


@pytest.fixture
def line(make_service: Callable[..., Service]) -> Line:
    return Line(make_service("billing-api", repository="acme/x"), start=START)


def test_a_day_of_one_trouble_has_exactly_these_effects(line: Line) -> None:
    """It persists and grows, is fixed, merged, comes back, is closed, comes back after the cooldown.

    Six deployments of other commits lie in between; each effect is there once.
    """
    for tick in range(TICKS):
        hour = tick / 6
        signals: list[Signal] = []
        if 1 <= hour < 5 or hour >= 9:
            signals.append(Signal.http_5xx)
        if 2 <= hour < 5:
            signals.append(Signal.latency)
        if hour in {1.5, 2.5, 3.0, 3.5, 4.0, 4.5}:
            line.deploy(f"{tick:040x}")
        if hour == 5:
            line.merge(1, "a" * 40, Outcome.recovered)
        if hour == 11:
            line.close(2)
        line.tick(trouble(line, *signals))
    line.now = START + timedelta(days=14, hours=10, minutes=50)
    for _ in range(6):
        line.tick(trouble(line, Signal.http_5xx))
    assert line.log == snapshot(
        [
            "01:00 plan for 505d1fed08-e1-a1",
            "01:00 session for bb384ea22b8b",
            "01:00 pull request #1",
            "05:00 a person merges #1",
            "05:30 comment on #1: Recovered: the fix helped",
            "09:00 plan for 87edef34b2-e1-a1",
            "09:00 session for e3eba1a19134",
            "09:00 pull request #2",
            "11:00 a person closes #2",
            "347:00 plan for 87edef34b2-e1-a2",
            "347:00 session for e42a155e90e4",
            "347:00 pull request #3",
        ]
    )
    assert "https://forge.test/acme/x/pull/1 was merged: recovered" in line.app.pulls[2]["body"]
    assert "https://forge.test/acme/x/pull/2 was closed by a person" in line.app.pulls[3]["body"]


def test_a_fix_that_changed_nothing_is_followed_by_one_more(line: Line) -> None:
    """The new attempt names the old one; while the outcome is open nothing is started."""
    for tick in range(30):
        if tick == 6:
            line.merge(1, "a" * 40, Outcome.unchanged)
        line.tick(trouble(line, Signal.http_5xx))
    assert [entry for entry in line.log if "pull request" in entry] == [
        "00:00 pull request #1",
        "01:40 pull request #2",
    ]
    assert "pull/1 was merged and changed nothing" in line.app.pulls[2]["body"]


@pytest.mark.parametrize("outcome", [Outcome.worse, Outcome.inconclusive])
def test_what_calls_for_a_person_waits_for_one(line: Line, outcome: Outcome) -> None:
    """No second attempt by itself; another deployed commit makes it a new question."""
    for tick in range(40):
        if tick == 6:
            line.merge(1, "a" * 40, outcome)
        line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 1
    assert [r.state for r in line.store.load()] == [IncidentState.settled]
    line.deploy("b" * 40)
    line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 2


def test_records_that_were_lost_are_written_anew_from_the_pull_requests(line: Line) -> None:
    """Every Variable deleted, at any tick: no second plan, session or pull request."""
    for tick in range(20):
        if tick % 3 == 2:
            line.store = MemoryIncidentStore()
        line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 1
    assert len([entry for entry in line.log if "plan" in entry]) == 1
    (record,) = line.store.load()
    assert (record.episode, record.attempt) == (1, 1)


def test_no_repair_starts_while_the_forge_cannot_be_asked(line: Line) -> None:
    """It starts at the first tick at which it can."""
    line.app.is_down = True
    for _ in range(3):
        line.tick(trouble(line, Signal.http_5xx))
    assert line.log == []
    line.app.is_down = False
    line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 1


def test_a_new_critical_signal_ends_a_persons_no(line: Line) -> None:
    """And so does another commit, but not the same trouble."""
    line.tick(trouble(line, Signal.http_5xx))
    line.close(1)
    for _ in range(10):
        line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 1
    line.tick(trouble(line, Signal.http_5xx, Signal.latency))
    assert len(line.app.pulls) == 2


def test_a_no_outlives_the_episode_it_was_said_in(line: Line) -> None:
    """Quiet for hours, then the same again with the same commit: still a no."""
    line.tick(trouble(line, Signal.http_5xx))
    line.close(1)
    line.tick(trouble(line, Signal.http_5xx))
    for _ in range(12):
        line.tick([])
    for _ in range(6):
        line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 1


@pytest.mark.parametrize("label", ["autofix:hold", "autofix:never"])
def test_a_persons_label_keeps_everything_off(line: Line, label: str) -> None:
    """Also after the pull request was closed and another commit deployed."""
    line.tick(trouble(line, Signal.http_5xx))
    line.app.pulls[1]["labels"].append({"name": label})
    line.close(1)
    line.deploy("b" * 40)
    for _ in range(6):
        line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 1
    assert [r.state for r in line.store.load()] == [IncidentState.kept_off]


def test_trouble_that_ends_by_itself_is_said_and_closed_by_us_and_is_no_persons_no(
    line: Line,
) -> None:
    """After seven quiet days the pull request is closed; the next trouble starts afresh."""
    line.tick(trouble(line, Signal.http_5xx))
    for _ in range(8):
        line.tick([])
    line.now += timedelta(days=7)
    line.tick([])
    assert line.app.pulls[1]["state"] == "closed"
    assert len(line.app.comments[1]) == 2
    line.now += EVERY
    line.tick(trouble(line, Signal.http_5xx))
    assert len(line.app.pulls) == 2
