from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autofix.models import Window
from autofix.observe.events import error_rows, run_rows
from autofix.observe.frames import Row
from autofix.observe.wire import Connection, WireRun, WireStamp

START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
WINDOW = Window(start=START, end=START + timedelta(minutes=5))
STEP = timedelta(seconds=60)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def by_step(rows: list[Row], measurement: str, service: str = "api") -> dict[int, float]:
    return {
        int(ts - START.timestamp()): float(value or 0)
        for ts, of, what, value in rows
        if (of, what) == (service, measurement)
    }


def stamp(seconds: float, service: str | None = "api") -> WireStamp:
    tags = {"serviceId": service} if service else None
    return WireStamp(timestamp=at(seconds).isoformat(), tags=tags)  # type: ignore[call-arg]


def test_error_lines_are_counted_per_step_and_zero_is_a_count() -> None:
    """A line without an owner counts for nobody; one outside the window not at all."""
    stamps = [stamp(1), stamp(59), stamp(60), stamp(61, None), stamp(-1), stamp(301)]
    rows = error_rows(stamps, ["api", "web"], WINDOW, STEP)
    assert by_step(rows, "LOG_ERRORS") == {0: 2, 60: 1, 120: 0, 180: 0, 240: 0}
    assert set(by_step(rows, "LOG_ERRORS", "web").values()) == {0}


def test_steps_that_were_not_read_whole_have_no_row() -> None:
    """The log was longer than what was read: before its oldest line nothing is zero."""
    rows = error_rows([stamp(130), stamp(200)], ["api"], WINDOW, STEP, since=at(130))
    assert by_step(rows, "LOG_ERRORS") == {180: 1, 240: 0}


def run(seconds: float, status: str = "EXITED", took: float | None = 1) -> dict[str, Any]:
    completed = at(seconds + took).isoformat() if took is not None else None
    return {"status": status, "createdAt": at(seconds).isoformat(), "completedAt": completed}


def runs(*nodes: dict[str, Any], more: bool = False) -> dict[str, Connection[WireRun]]:
    connection = {"edges": [{"node": node} for node in nodes], "pageInfo": {"hasNextPage": more}}
    return {"api": Connection[WireRun].model_validate(connection)}


def test_runs_count_where_they_begin_and_failures_where_they_end() -> None:
    """A run that began before the window and failed in it is a failure in it, and no run."""
    found = runs(run(200, took=None, status="RUNNING"), run(70), run(-30, "CRASHED", took=90))
    rows, uncounted = run_rows(found, WINDOW, STEP)
    assert by_step(rows, "CRON_RUNS") == {0: 0, 60: 1, 120: 0, 180: 1, 240: 0}
    assert by_step(rows, "CRON_FAILED") == {0: 0, 60: 1, 120: 0, 180: 0, 240: 0}
    assert uncounted == {}


def test_a_cron_without_any_run_is_counted_as_zero() -> None:
    """Its history was read, and it is empty."""
    rows, _ = run_rows(runs(), WINDOW, STEP)
    assert set(by_step(rows, "CRON_RUNS").values()) == {0}


@pytest.mark.parametrize(
    ("nodes", "steps"),
    [
        ([run(250), run(130)], {180, 240}),  # newest first, and older ones did not fit
        ([run(-100), run(-4000)], {0, 60, 120, 180, 240}),
    ],
)
def test_a_page_that_is_not_the_last_counts_back_to_its_oldest_run(
    nodes: list[dict[str, Any]], steps: set[int]
) -> None:
    """The newest come first: what lies after the oldest of them is whole."""
    rows, uncounted = run_rows(runs(*nodes, more=True), WINDOW, STEP)
    assert set(by_step(rows, "CRON_RUNS")) == steps
    assert not uncounted


def test_a_page_of_oldest_runs_counts_nothing_and_says_so() -> None:
    """The order of runs is not documented: where the newest are missing there is no zero."""
    rows, uncounted = run_rows(runs(run(-900), run(-600), more=True), WINDOW, STEP)
    assert rows == []
    assert "oldest first" in uncounted["api"]
