"""Reads one answer of Railway's API: its data, or the error that it is.

Railway answers errors in three ways: an HTTP status, `errors` beside status 200, and HTML from
the edge in front of it. All three become one `RailwayError` that says whether to try again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import httpx

from autofix.errors import AutofixError, RailwayError
from autofix.redact import cut

DEAD = "the token is dead or has no access"
_MESSAGE_CAP = 300
_DENIED = frozenset({401, 403})
_RETRY_IN = re.compile(r"\b(?:try again|retry) in (\d{1,5}) second", re.IGNORECASE)
_LIMITED = ("rate limit", "too many requests")
_UNAUTHORIZED = (
    "not authorized",
    "unauthorized",
    "project token not found",
    "project not found",
    "environment not found",
)
_TRANSIENT = ("problem processing request", "internal server error", "timed out", "timeout")
_INVALID = ("cannot query field", "unknown argument", "unknown type", "unknown fragment")


class Refusal(StrEnum):
    """Why a query was refused."""

    denied = "denied"
    """The token is dead, or may not see what was asked for."""
    invalid = "invalid"
    """The schema does not have what was asked for."""
    limited = "limited"
    """Asked too often."""
    failed = "failed"
    """A resolver failed; `aliases` says whose, if the answer does."""


class QueryError(RailwayError):
    """The server answered, and refused the whole query or some of its aliases."""

    def __init__(
        self,
        message: str,
        refusal: Refusal,
        *,
        aliases: frozenset[str] = frozenset(),
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        """Keep the aliases that failed; none when the query as a whole was refused."""
        super().__init__(message, retryable=retryable, retry_after=retry_after)
        self.refusal = refusal
        self.aliases = aliases


def explain(error: AutofixError) -> str:
    """Why something could not be read, for people."""
    if isinstance(error, QueryError) and error.refusal is Refusal.invalid:
        return "this schema of Railway does not have it"
    return str(error)


def read_answer(status: int, headers: Mapping[str, str], content: bytes) -> dict[str, Any]:
    """The answer's `data`; RailwayError when it is not there or not complete."""
    body = _json(content)
    wait = _retry_after(headers)
    if body and body.get("errors"):
        raise _query_error(body["errors"], status, wait)
    if status in _DENIED and body is None:
        raise RailwayError(f"status {status}: {DEAD}{_origin(body)}")
    if status in _DENIED:
        raise QueryError(f"not authorized (status {status}): {DEAD}", Refusal.denied)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise RailwayError(f"rate limited{_origin(body)}", retryable=True, retry_after=wait)
    if status >= httpx.codes.BAD_REQUEST or 300 <= status < 400:  # noqa: PLR2004 - never followed
        server = status >= httpx.codes.INTERNAL_SERVER_ERROR
        message = f"status {status}{_origin(body)}"
        raise RailwayError(message, retryable=server, retry_after=wait)
    data = body.get("data") if body else None
    if not isinstance(data, dict):
        raise RailwayError(f"an answer without data{_origin(body)}", retryable=True)
    return data


def _json(content: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _origin(body: dict[str, Any] | None) -> str:
    return "" if body is not None else "; not JSON, so perhaps from the edge in front of the API"


def _query_error(errors: Any, status: int, wait: float | None) -> QueryError:
    found = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    messages = list(dict.fromkeys(str(e.get("message") or "no message") for e in found))
    text = cut("; ".join(messages), _MESSAGE_CAP) or "errors in a shape that is not known"
    paths = [e.get("path") for e in found]
    aliases = frozenset(str(path[0]) for path in paths if isinstance(path, list) and path)
    lower = text.lower()
    asked = _RETRY_IN.search(text)
    wait = float(asked[1]) if wait is None and asked else wait
    if status == httpx.codes.TOO_MANY_REQUESTS or asked or _has(lower, _LIMITED):
        return QueryError(text, Refusal.limited, retryable=True, retry_after=wait)
    if status in _DENIED or _has(lower, _UNAUTHORIZED):
        return QueryError(f"{text}: {DEAD}", Refusal.denied, aliases=aliases)
    if _has(lower, _INVALID) or any(_code(e) == "GRAPHQL_VALIDATION_FAILED" for e in found):
        return QueryError(text, Refusal.invalid)
    server = status >= httpx.codes.INTERNAL_SERVER_ERROR
    retryable = server or _has(lower, _TRANSIENT)
    return QueryError(text, Refusal.failed, aliases=aliases, retryable=retryable, retry_after=wait)


def _has(text: str, marks: tuple[str, ...]) -> bool:
    return any(mark in text for mark in marks)


def _code(error: Mapping[str, Any]) -> Any:
    extensions = error.get("extensions")
    return extensions.get("code") if isinstance(extensions, dict) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    return float(value) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value) else None
