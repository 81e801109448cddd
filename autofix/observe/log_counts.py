"""Lines of the environment's log that are counted: errors, and what the platform did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from autofix.errors import RailwayError
from autofix.models import Window
from autofix.observe.answers import QueryError
from autofix.observe.api import Api
from autofix.observe.graphql import load_query, render_time
from autofix.observe.wire import LogLine, WireStamp, parse

T = TypeVar("T", WireStamp, LogLine)
Read = tuple[list[T] | None, datetime | None]
"""Lines, None when they were not read; and before when nothing was read, None when all was."""
_INSTANT = timedelta(microseconds=1)
"""Times are cut to microseconds here and carry nanoseconds there."""


@dataclass(frozen=True)
class LogCounts:
    """Lines that are counted; what could not be read is None."""

    errors: list[WireStamp] | None
    errors_since: datetime | None
    """Nothing before this was read; None when everything was."""
    platform: list[LogLine] | None
    platform_since: datetime | None
    failed: tuple[str, ...] = ()


def fetch_log_counts(api: Api, window: Window) -> LogCounts:
    """What `RailwayClient.fetch_log_counts` promises."""
    failed: list[str] = []
    data = _ask_log_counts(api, window, failed)
    errors, errors_since = _attempt(lambda: _page_back(api, data.get("errors"), window), failed)
    platform, platform_since = _attempt(lambda: _parse_platform(api, data, window), failed)
    return LogCounts(errors, errors_since, platform, platform_since, tuple(failed))


def _attempt(read: Callable[[], Read[T]], failed: list[str]) -> Read[T]:
    """What is read; nothing, and a reason in `failed`, when it has another shape."""
    try:
        return read()
    except RailwayError as error:
        failed.append(str(error))
        return None, None


def _parse_platform(api: Api, data: Mapping[str, Any], window: Window) -> Read[LogLine]:
    rows = data.get("platform")
    if rows is None:
        return None, None
    lines = sorted((parse(LogLine, row) for row in rows), key=lambda line: line.at)
    since = lines[0].at if lines and len(lines) >= api.limits.log_rows else None
    return [line for line in lines if window.start <= line.at < window.end], since


def _ask_log_counts(api: Api, window: Window, failed: list[str]) -> dict[str, Any]:
    """Both logs; when one fails, each alone, and why goes to `failed`."""
    try:
        return _ask_logs(api, window, errors=True, platform=True)
    except QueryError:
        data: dict[str, Any] = {}
        for name in ("errors", "platform"):
            only = {"errors": False, "platform": False, name: True}
            try:
                data |= _ask_logs(api, window, **only)
            except RailwayError as error:
                failed.append(str(error))
        return data
    except RailwayError as error:
        failed.append(str(error))
        return {}


def _ask_logs(api: Api, window: Window, *, errors: bool, platform: bool) -> dict[str, Any]:
    variables = {
        "environmentId": api.environment,
        "start": render_time(window.start),
        "end": render_time(window.end),
        "limit": api.limits.log_rows,
        "errors": errors,
        "platform": platform,
    }
    query = load_query("log_counts")
    return api.execute(query, variables, splittable=errors and platform)


def _page_back(api: Api, rows: list[Any] | None, window: Window) -> Read[WireStamp]:
    """The rows with those of earlier pages, and from when on they are whole.

    Whether the anchor itself belongs to a page is not documented: what two pages share is
    counted once.
    """
    if rows is None:
        return None, None
    seen: Counter[WireStamp] = Counter()
    oldest: datetime | None = None
    for turn in range(api.limits.log_pages):
        page = [parse(WireStamp, item) for item in rows]
        seen |= Counter(page)
        if len(page) < api.limits.log_rows:
            return list(seen.elements()), None
        before, oldest = oldest, min(stamp.at for stamp in page)
        if oldest <= window.start:
            return list(seen.elements()), None
        if oldest == before or turn + 1 == api.limits.log_pages:
            break
        try:
            earlier = Window(start=window.start, end=oldest + _INSTANT)
            rows = _ask_logs(api, earlier, errors=True, platform=False).get("errors") or []
        except RailwayError:
            break
    return list(seen.elements()), oldest
