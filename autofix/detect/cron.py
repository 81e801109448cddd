"""When a cron is due: the five fields of its schedule, in UTC as Railway reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_ITEM = re.compile(r"(\*|\d+|[a-z]{3})(?:-(\d+|[a-z]{3}))?(?:/(\d+))?")
_SUNDAY = 7
_MOST_MINUTES = 8 * 24 * 60
"""Schedules are followed over at most so many minutes."""


@dataclass(frozen=True)
class Schedule:
    """The minutes at which a cron is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """Day of the month and weekday are both given: either is enough."""

    def is_due(self, at: datetime) -> bool:
        """Whether a run begins in this minute."""
        if at.minute not in self.minutes or at.hour not in self.hours:
            return False
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return at.month in self.months and (day or weekday if self.either_day else day and weekday)

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The minutes of ``[start, end)`` at which a run begins."""
        at = start.astimezone(UTC).replace(second=0, microsecond=0)
        at += timedelta(minutes=at < start)
        for _ in range(_MOST_MINUTES):
            if at >= end:
                return
            if self.is_due(at):
                yield at
            at += timedelta(minutes=1)


def parse_schedule(text: str) -> Schedule | None:
    """The schedule of five fields; None for anything else."""
    fields = text.lower().split()
    if len(fields) != len(_RANGES):
        return None
    parsed = [_parse_field(field, place) for place, field in enumerate(fields)]
    if any(values is None for values in parsed):
        return None
    minutes, hours, days, months, weekdays = (values or frozenset() for values in parsed)
    weekdays = frozenset(day % _SUNDAY for day in weekdays)
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return Schedule(minutes, hours, days, months, weekdays, either)


def _parse_field(field: str, place: int) -> frozenset[int] | None:
    values: set[int] = set()
    for item in field.split(","):
        found = _parse_item(item, place)
        if found is None:
            return None
        values |= found
    return frozenset(values)


def _parse_item(item: str, place: int) -> set[int] | None:
    low, high = _RANGES[place]
    match = _ITEM.fullmatch(item)
    if match is None:
        return None
    first, last, every = match.groups()
    if first == "*":
        begin, end = low, high
    else:
        begin = _number(first, place)
        end = _number(last, place) if last else (high if every else begin)
    if not low <= begin <= end <= high or every == "0":
        return None
    return set(range(begin, end + 1, int(every or 1)))


def _number(text: str, place: int) -> int:
    if text.isdigit():
        return int(text)
    names = {3: _MONTHS, 4: _DAYS}.get(place, [])
    return names.index(text) + (place == 3) if text in names else -1  # noqa: PLR2004
