"""One POST to Railway's API; retries, pace and deadlines live here and nowhere else."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

from autofix.errors import ConfigError, RailwayError
from autofix.http import build_client
from autofix.observe.answers import QueryError, Refusal, read_answer
from autofix.observe.limits import ApiLimits
from autofix.observe.pace import Pace, read_date, share_pace
from autofix.settings import Settings

# a retry is worth a line in a flow's log; without any log it would go to a person's terminal
logging.getLogger("stamina").addHandler(logging.NullHandler())

_QUERIES = files("autofix.observe").joinpath("queries")


@cache
def load_query(name: str) -> str:
    """The text of one query file."""
    return _QUERIES.joinpath(f"{name}.graphql").read_text(encoding="utf-8")


@cache
def repeat_query(name: str, count: int) -> str:
    """A query file for this many services: what ends in 0 is repeated under the other numbers."""
    text = re.sub(r"^#.*\n", "", load_query(name), flags=re.MULTILINE)
    head, rest = text.split(") {\n", 1)
    fields = rest.rstrip().removesuffix("}").rstrip()
    numbered = re.compile(r"\b([a-z]+)0\b", re.IGNORECASE)
    head = re.sub(
        r"^ *\$[a-z]+0: .*$",
        lambda found: "\n".join(
            numbered.sub(rf"\g<1>{i}", found[0], count=1) for i in range(count)
        ),
        head,
        flags=re.MULTILINE | re.IGNORECASE,
    )
    repeated = "\n".join(numbered.sub(rf"\g<1>{i}", fields) for i in range(count))
    return f"{head}) {{\n{repeated}\n}}\n"


def without_field(query: str, name: str) -> str:
    """The query without a field whose selection holds no braces of its own."""
    return re.sub(rf"^ *{name} \{{[^{{}}]*\}}\n", "", query, flags=re.MULTILINE)


def render_time(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def render_seconds(step: timedelta) -> int:
    """Whole seconds, at least one."""
    return max(1, round(step.total_seconds()))


@dataclass
class Traffic:
    """What was asked and answered so far."""

    requests: int = 0
    sent_bytes: int = 0
    read_bytes: int = 0
    """Of answers, decoded."""


class GraphqlClient:
    """Sends queries; retries what may pass by itself, and honours the wait it is asked for."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.BaseTransport | None = None,
        *,
        limits: ApiLimits = ApiLimits(),  # noqa: B008 - frozen
        attempts: int = 3,
        timeout: float = 30.0,
        deadline: float = 90.0,
        wait: float = 0.5,
        patience: float = 60.0,
    ) -> None:
        """Authenticate by the settings' token.

        Args:
            settings: address and token.
            transport: what carries requests; tests pass `httpx.MockTransport`.
            limits: how fast requests may follow each other, and how long an answer may be.
            attempts: how often one request is sent at most.
            timeout: seconds for each of connect, read and write.
            deadline: seconds for one whole answer.
            wait: seconds before the second attempt; doubles from there.
            patience: longest wait in seconds; asked for more, the error is raised at once.
        """
        name, value = settings.railway_auth()
        self._url = _require_url(settings.railway_api_url)
        self._http = build_client(
            headers={name: value, "Accept": "application/json"},
            timeout=timeout,
            transport=transport,
        )
        self._limits = limits
        self._attempts = attempts
        self._deadline = deadline
        self._wait = wait
        self._patience = patience
        rate = limits.requests_per_second
        self._pace = (
            share_pace(self._url, value, rate, patience)
            if transport is None
            else Pace(rate, patience)
        )
        self._lock = threading.Lock()
        self.traffic = Traffic()
        self.server_time: datetime | None = None
        """The newest date of an answer, by the server's clock."""

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def execute(
        self, query: str, variables: Mapping[str, Any], *, splittable: bool = False
    ) -> dict[str, Any]:
        """The answer's `data`; RailwayError when it is not there or not complete.

        Args:
            query: the text.
            variables: its variables.
            splittable: whether the caller asks again for parts; an error that names the aliases
                that failed is then raised at once, since only they are worth another attempt.
        """

        def backoff(error: Exception) -> bool | float:
            named = isinstance(error, QueryError) and error.aliases
            return False if splittable and named else self._backoff(error)

        for attempt in stamina.retry_context(
            on=backoff,
            attempts=self._attempts,
            timeout=None,
            wait_initial=self._wait,
            wait_max=self._patience,
            wait_jitter=self._wait,
        ):
            with attempt:
                return self._post(query, variables)
        raise AssertionError  # pragma: no cover - stamina returns or raises

    def change(self, mutation: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a mutation, which is sent once: nobody knows what a lost answer did."""
        return self._post(mutation, variables)

    def _backoff(self, error: Exception) -> bool | float:
        if not isinstance(error, RailwayError) or not error.retryable:
            return False
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= self._patience else False

    def _post(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        self._pace.wait()
        request = self._http.build_request(
            "POST", self._url, json={"query": query, "variables": dict(variables)}
        )
        with self._lock:
            self.traffic.requests += 1
            self.traffic.sent_bytes += len(request.content)
        try:
            response = self._http.send(request, stream=True)
            try:
                self._note(response)
                content = self._read(response)
            finally:
                response.close()
            return read_answer(response.status_code, response.headers, content)
        except httpx.TimeoutException as error:
            raise RailwayError("no answer in time", retryable=True) from error
        except httpx.HTTPError as error:  # refused, reset, cut off in the middle
            raise RailwayError(f"connection failed ({error})", retryable=True) from error
        except RailwayError as error:
            if error.retry_after is not None and not _is_local(error):
                self._pace.hold(error.retry_after)
            raise

    def _read(self, response: httpx.Response) -> bytes:
        """The body; neither a drip without an end nor an endless one is waited for."""
        parts: list[bytes] = []
        size, end = 0, time.monotonic() + self._deadline
        for part in response.iter_bytes():
            size += len(part)
            parts.append(part)
            if size > self._limits.answer_bytes:
                raise RailwayError(f"an answer of more than {self._limits.answer_bytes:,} bytes")
            if time.monotonic() > end:
                raise RailwayError("no whole answer in time", retryable=True)
        with self._lock:
            self.traffic.read_bytes += size
        return b"".join(parts)

    def _note(self, response: httpx.Response) -> None:
        self._pace.note(response.headers)
        date = read_date(response.headers)
        if date is not None:
            at = datetime.fromtimestamp(date, UTC)
            with self._lock:
                self.server_time = max(at, self.server_time or at)


def _is_local(error: RailwayError) -> bool:
    return isinstance(error, QueryError) and error.refusal is not Refusal.limited


def _require_url(url: str) -> str:
    """The address of an HTTP API; ConfigError for anything else."""
    try:
        parts = urlsplit(url)
        is_http = parts.scheme in {"http", "https"} and bool(parts.hostname)
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        is_http = False
    if not is_http:
        raise ConfigError("RAILWAY_API_URL is no http(s) address; leave it out for Railway's own")
    return url
