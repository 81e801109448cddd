from __future__ import annotations

from datetime import UTC, datetime

import pytest

from autofix.detect.cron import parse_schedule

START, END = datetime(2026, 3, 2, 14, 0, 30, tzinfo=UTC), datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("*/15 * * * *", [15, 30, 45]),
        ("0,7,50-52 14 * * *", [7, 50, 51, 52]),
        ("5/20 * * * *", [5, 25, 45]),
        ("30 14 2 mar mon", [30]),
        ("30 14 2 3 0", [30]),
        ("30 14 3 3 1", [30]),
        ("30 14 3 * *", []),
        ("30 14 * * 0,7", []),
        ("30 13 * * *", []),
        ("30 14 * 4 *", []),
    ],
)
def test_a_schedule_says_when_it_is_due(text: str, minutes: list[int]) -> None:
    """2 March 2026 is a Monday; a day of the month or a weekday is enough when both are given."""
    schedule = parse_schedule(text)
    assert schedule is not None
    assert [at.minute for at in schedule.between(START, END)] == minutes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "60 * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "x * * * *",
        "@daily",
        "* * * * * *",
    ],
)
def test_nonsense_is_no_schedule(text: str) -> None:
    """Nothing is due by what nobody understands."""
    assert parse_schedule(text) is None
