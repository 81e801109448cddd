"""What GitHub refuses, as typed errors: each is one sentence, and says what to do where a person can."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from autofix.errors import GithubError

_NEEDED = (
    (r"/pulls(/|$)", "pull requests: write"),
    (r"/(labels|issues)(/|$)", "issues: write"),
    (r"/(git|contents|compare|commits|branches)(/|$)", "contents: write"),
)
"""What a call needs, by its path, when GitHub does not say so itself."""
_READ_ONLY = re.compile(r"archived|read-only|disabled|suspended|blocked", re.IGNORECASE)


class NotFoundError(GithubError):
    """It does not exist, or the token may not see it."""


class InvalidError(GithubError):
    """GitHub refused the content of a request (422)."""


class LimitError(GithubError):
    """A rate limit, the secondary one included."""


class TokenError(GithubError):
    """The token is wrong or has expired."""


class PermissionMissingError(GithubError):
    """The token may not do this; `permission` is what it lacks."""

    def __init__(self, message: str, permission: str) -> None:
        """Keep the permission's name beside the message."""
        super().__init__(message)
        self.permission = permission


class ReadOnlyError(GithubError):
    """The repository takes no writes from anybody: archived, disabled, suspended."""


class MovedError(GithubError):
    """The repository has another name now."""


class EmptyError(GithubError):
    """The repository has no commit."""


def read_error(response: httpx.Response, call: str) -> GithubError:
    """The error that an answer other than a success stands for."""
    status, reason = response.status_code, _reason(response)
    limited = _limit_wait(response, reason)
    if limited is not None:
        message = f"rate limit reached at {call}: {reason}"
        return LimitError(message, retryable=True, retry_after=limited or None)
    if status == httpx.codes.UNAUTHORIZED:
        return TokenError("GITHUB_TOKEN is wrong or has expired: create a new one")
    if response.is_redirect:
        return MovedError(
            f"{call}: the repository was renamed or moved; connect the service on Railway to its "
            "new name"
        )
    if status == httpx.codes.FORBIDDEN:
        return _forbidden(response, call, reason)
    if status == httpx.codes.NOT_FOUND:
        return NotFoundError(f"{call}: not found, or the token may not see it{_hint(call)}")
    if status == httpx.codes.GONE:
        return ReadOnlyError(f"{call}: {reason}")
    if status == httpx.codes.CONFLICT and "empty" in reason.lower():
        return EmptyError(f"{call}: the repository is empty")
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        return InvalidError(f"{call} was refused: {reason}")
    retryable = status >= httpx.codes.INTERNAL_SERVER_ERROR
    return GithubError(f"{call} answered {status}: {reason}", retryable=retryable)


def needed_permission(call: str) -> str:
    """What a call needs, in the words of GitHub's token page; empty when that is not known."""
    method, _, path = call.partition(" ")
    found = next((needs for pattern, needs in _NEEDED if re.search(pattern, path)), "")
    return found.replace("write", "read") if method == "GET" else found


def _hint(call: str) -> str:
    """GitHub hides what may be read but not written behind a 404 as well."""
    needed = needed_permission(call)
    return f"; a write needs {needed}" if needed and not call.startswith("GET ") else ""


def _forbidden(response: httpx.Response, call: str, reason: str) -> GithubError:
    if "X-GitHub-SSO" in response.headers:
        message = f"{call}: the organisation asks for single sign-on: authorize GITHUB_TOKEN for it"
        return PermissionMissingError(message, "single sign-on")
    if _READ_ONLY.search(reason):
        return ReadOnlyError(f"{call}: {reason}")
    needed = response.headers.get("X-Accepted-GitHub-Permissions") or needed_permission(call)
    hint = f"; the call needs {needed}" if needed else ""
    message = f"GITHUB_TOKEN lacks a permission for {call}{hint}: {reason}"
    return PermissionMissingError(message, needed)


def _limit_wait(response: httpx.Response, reason: str) -> float | None:
    """Seconds to wait when this is a rate limit, 0 when it says none; else None."""
    if response.status_code not in {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}:
        return None
    headers = response.headers
    asked = headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    if headers.get("X-RateLimit-Remaining") == "0":
        return _until_reset(headers)
    known = response.status_code == httpx.codes.TOO_MANY_REQUESTS or "rate limit" in reason.lower()
    return 0.0 if known else None


def _until_reset(headers: httpx.Headers) -> float:
    """Measured between two of GitHub's own times, so the local clock does not matter."""
    try:
        reset = float(headers["X-RateLimit-Reset"])
        return max(0.0, reset - parsedate_to_datetime(headers["Date"]).timestamp())
    except (KeyError, ValueError):
        return 0.0


def _reason(response: httpx.Response) -> str:
    try:
        body = response.json()
        details = [_detail(error) for error in body.get("errors") or ()]
        return " · ".join([str(body.get("message", "")), *details])[:400]
    except (ValueError, AttributeError, TypeError):
        return f"status {response.status_code} without a reason"


def _detail(error: Any) -> str:
    if isinstance(error, dict):
        named = (error.get(name) for name in ("field", "code", "message"))
        return " ".join(str(value) for value in named if value)
    return str(error)
