"""One POST and one error rule for Railway's API; retries live here and nowhere else.

Railway answers errors in three ways: an HTTP status, `errors` beside status 200, and HTML from
the edge in front of it. All three become one `RailwayError` that says whether to try again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import httpx
import stamina

from autofix.errors import RailwayError
from autofix.http import build_client
from autofix.settings import Settings

_QUERIES = files("autofix.observe").joinpath("queries")
_MESSAGE_CAP = 300
_DENIED = frozenset({401, 403})
_RETRY_IN = re.compile(r"\b(?:try again|retry) in (\d{1,5}) second", re.IGNORECASE)
_RATE_LIMITED = ("rate limit", "too many requests")
_UNAUTHORIZED = ("not authorized", "unauthorized", "project token not found")
_TRANSIENT = ("problem processing request", "internal server error", "timed out", "timeout")


class QueryError(RailwayError):
    """The server answered, and refused the whole query or some of its aliases."""

    def __init__(
        self,
        message: str,
        *,
        aliases: frozenset[str] = frozenset(),
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Keep the aliases that failed; none when the query as a whole was refused."""
        super().__init__(message, retryable=retryable, retry_after=retry_after)
        self.aliases = aliases


def load_query(name: str) -> str:
    """The text of one query file."""
    return _QUERIES.joinpath(f"{name}.graphql").read_text(encoding="utf-8")


class GraphqlClient:
    """Sends queries; retries what may pass by itself, and honours the wait it is asked for."""

    def __init__(
        self,
        settings: Settings,
        transport: httpx.BaseTransport | None = None,
        *,
        attempts: int = 3,
        timeout: float = 30.0,
        wait: float = 0.5,
        patience: float = 60.0,
    ) -> None:
        """Authenticate by the settings' token.

        Args:
            settings: address and token.
            transport: what carries requests; tests pass `httpx.MockTransport`.
            attempts: how often one request is sent at most.
            timeout: seconds for each of connect, read and write.
            wait: seconds before the second attempt; doubles from there.
            patience: longest wait in seconds; asked for more, the error is raised at once.
        """
        name, value = settings.railway_auth()
        self._http = build_client(
            headers={name: value, "Accept": "application/json"},
            timeout=timeout,
            transport=transport,
        )
        self._url = settings.railway_api_url
        self._attempts = attempts
        self._wait = wait
        self._patience = patience

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def execute(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's `data`; RailwayError when it is not there or not complete."""
        for attempt in stamina.retry_context(
            on=self._backoff,
            attempts=self._attempts,
            timeout=None,
            wait_initial=self._wait,
            wait_max=self._patience,
            wait_jitter=self._wait,
        ):
            with attempt:
                return self._post(query, variables)
        raise AssertionError  # pragma: no cover - stamina returns or raises

    def _backoff(self, error: Exception) -> bool | float:
        if not isinstance(error, RailwayError) or not error.retryable:
            return False
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= self._patience else False

    def _post(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response = self._http.post(
                self._url, json={"query": query, "variables": dict(variables)}
            )
        except httpx.TimeoutException as error:
            raise RailwayError("no answer in time", retryable=True) from error
        except httpx.HTTPError as error:  # refused, reset, cut off in the middle
            raise RailwayError(f"connection failed ({error})", retryable=True) from error
        return _read(response)


def _read(response: httpx.Response) -> dict[str, Any]:
    body = _json(response)
    errors = body.get("errors") if body else None
    if errors:
        raise _query_error(errors, response)
    if response.status_code in _DENIED:
        raise RailwayError(
            f"not authorized (status {response.status_code}): the token is dead or has no access"
            f"{_origin(body)}"
        )
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise RailwayError("rate limited", retryable=True, retry_after=_retry_after(response))
    if response.status_code >= httpx.codes.BAD_REQUEST:
        raise RailwayError(
            f"status {response.status_code}{_origin(body)}",
            retryable=response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR,
            retry_after=_retry_after(response),
        )
    data = body.get("data") if body else None
    if not isinstance(data, dict):
        raise RailwayError(f"an answer without data{_origin(body)}", retryable=True)
    return data


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _origin(body: dict[str, Any] | None) -> str:
    return "" if body is not None else "; not JSON, so perhaps from the edge in front of the API"


def _query_error(errors: Any, response: httpx.Response) -> QueryError:
    found = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    messages = list(dict.fromkeys(str(e.get("message") or "no message") for e in found))
    text = "; ".join(messages)[:_MESSAGE_CAP] or "errors in a shape that is not known"
    paths = [e.get("path") for e in found]
    aliases = frozenset(str(path[0]) for path in paths if isinstance(path, list) and path)
    lower = text.lower()
    if response.status_code in _DENIED or any(mark in lower for mark in _UNAUTHORIZED):
        return QueryError(f"{text}: the token is dead or has no access", aliases=aliases)
    wait = _retry_after(response) if "Retry-After" in response.headers else _wait_in(text)
    limited = response.status_code == httpx.codes.TOO_MANY_REQUESTS or wait is not None
    if limited or any(mark in lower for mark in _RATE_LIMITED):
        return QueryError(text, aliases=aliases, retryable=True, retry_after=wait)
    retryable = response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or any(
        mark in lower for mark in _TRANSIENT
    )
    return QueryError(text, aliases=aliases, retryable=retryable)


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.strip().isdigit() else None


def _wait_in(text: str) -> float | None:
    match = _RETRY_IN.search(text)
    return float(match[1]) if match else None
