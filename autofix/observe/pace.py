"""Keeps requests apart, and waits where Railway asks for it; shared by all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import cache

from autofix.errors import RailwayError

_PRO_PER_HOUR, _PRO_PER_SECOND = 10_000, 50.0
"""Requests that the Pro plan may make, and the larger ones too; the smallest paid plan makes 1,000 and
10. An answer's headers name the first number."""


class Pace:
    """When the next request may start."""

    def __init__(
        self,
        per_second: float,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start without a wait.

        Args:
            per_second: requests that may start in a second; they are spread evenly.
            patience: longest wait in seconds that is slept through.
            clock: seconds that only grow.
            sleep: waits that many seconds.
        """
        self._per_second = per_second
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0
        self._held_until = 0.0

    def wait(self) -> None:
        """Return when a request may start; RailwayError when that is beyond our patience."""
        with self._lock:
            now = self._clock()
            held = self._held_until - now
            if held > self._patience:
                raise RailwayError(
                    f"the allowed requests are used up; there are new ones in {held:.0f} s",
                    retryable=True,
                    retry_after=held,
                )
            start = max(now, self._next, self._held_until)
            self._next = start + 1 / self._per_second
        if start > now:
            self._sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Start nothing for this long."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def note(self, headers: Mapping[str, str]) -> None:
        """Go faster where the plan allows it; hold until the reset when nothing remains.

        The reset is a time of the server's clock, so it is compared with the answer's own date.
        """
        limit = headers.get("X-RateLimit-Limit", "")
        if limit.isdigit() and int(limit) >= _PRO_PER_HOUR:
            self._per_second = max(self._per_second, _PRO_PER_SECOND)
        remaining, reset = headers.get("X-RateLimit-Remaining"), headers.get("X-RateLimit-Reset")
        date = read_date(headers)
        if remaining is None or reset is None or date is None or not reset.isdigit():
            return
        if remaining.strip() == "0" and int(reset) > date:
            self.hold(int(reset) - date)


@cache
def share_pace(url: str, token: str, per_second: float, patience: float) -> Pace:  # noqa: ARG001
    """The pace of all clients of this process that use the same token at the same address."""
    return Pace(per_second, patience)


def read_date(headers: Mapping[str, str]) -> float | None:
    """The answer's date in Unix seconds, by the server's clock; None without a readable one."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        return None
