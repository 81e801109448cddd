"""Client of GitHub's REST API: the calls a draft pull request needs.

Reads are retried inside, obeying what GitHub asks for. Writes are sent once; who repeats a run
looks first whether they happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx
import stamina
from pydantic import BaseModel, ConfigDict, ValidationError

from autofix.errors import GithubError
from autofix.http import build_client
from autofix.models import PullRequest
from autofix.settings import Settings

_PAGE = 100
_PAGES = 30
_LONGEST_WAIT = 60.0
_OK = 400
_LABEL_COLOUR = "5319e7"


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Ref(_Wire):
    ref: str
    sha: str | None = None


class _Label(_Wire):
    name: str


class _User(_Wire):
    login: str = ""


class _Pull(_Wire):
    number: int
    html_url: str
    user: _User | None = None
    state: Literal["open", "closed"]
    title: str = ""
    body: str | None = None
    draft: bool = False
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    mergeable: bool | None = None
    created_at: datetime | None = None
    closed_at: datetime | None = None
    head: _Ref
    base: _Ref
    labels: tuple[_Label, ...] = ()


class NotFoundError(GithubError):
    """It does not exist, or the token may not see it."""


class InvalidError(GithubError):
    """GitHub refused the content of a request (422)."""


class GithubClient:
    """Talks to GitHub or to a forge that answers like it.

    Args:
        settings: address and token.
        transport: what carries requests; tests pass `httpx.MockTransport`.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        settings.require("github_token")
        token = settings.github_token
        assert token is not None  # noqa: S101 - required above
        self._http = build_client(
            settings.github_api_url,
            headers={
                "Authorization": f"Bearer {token.get_secret_value()}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            transport=transport,
        )

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    # ---------------------------------------------------------------- reads

    def read(self, path: str, params: dict[str, str] | None = None) -> Any:
        """The JSON that one GET answers; NotFoundError when it does not exist."""
        return self._read(path, params)

    def fetch_branch_head(self, repository: str, branch: str) -> str | None:
        """Newest commit of a branch; None when there is no such branch."""
        try:
            found = self._read(f"/repos/{repository}/git/ref/heads/{quote(branch)}")
        except NotFoundError:
            # the same status as for a repository that the token cannot see
            self._read(f"/repos/{repository}")
            return None
        return _commit_of(found)

    def find_pull_requests(
        self,
        repository: str,
        *,
        state: Literal["open", "closed", "all"] = "open",
        head_prefix: str = "",
        label: str = "",
    ) -> tuple[PullRequest, ...]:
        """Pull requests from branches that begin so and carry the label, newest first."""
        found = (parse_pull(repository, item) for item in self._pages(repository, {"state": state}))
        return tuple(
            pull
            for pull in found
            if pull.branch.startswith(head_prefix) and (not label or label in pull.labels)
        )

    def find_by_branch(self, repository: str, branch: str) -> PullRequest | None:
        """The newest pull request from this branch, an open one before closed ones."""
        owner = repository.partition("/")[0]
        query = {"state": "all", "head": f"{owner}:{branch}"}
        found = [parse_pull(repository, item) for item in self._pages(repository, query)]
        # asked again here: some forges ignore the filter
        matching = [pull for pull in found if pull.branch == branch]
        matching.sort(key=lambda pull: (pull.state == "open", pull.number), reverse=True)
        return matching[0] if matching else None

    # ---------------------------------------------------------------- writes

    def open_draft(
        self, repository: str, *, title: str, body: str, branch: str, base: str
    ) -> PullRequest:
        """Open a draft pull request; an ordinary one where drafts are not to be had."""
        path = f"/repos/{repository}/pulls"
        content = {"title": title, "body": body, "head": branch, "base": base}
        try:
            answer = self._once("POST", path, json={**content, "draft": True})
        except InvalidError as error:
            if "draft" not in str(error).lower():
                raise
            answer = self._once("POST", path, json=content)
        return parse_pull(repository, answer)

    def add_labels(self, repository: str, number: int, labels: Sequence[str]) -> None:
        """Put labels on a pull request; those the repository lacks are made."""
        for label in labels:
            body = {"name": label, "color": _LABEL_COLOUR}
            try:
                self._once("POST", f"/repos/{repository}/labels", json=body)
            except InvalidError as error:
                if "already_exists" not in str(error):
                    raise
        path = f"/repos/{repository}/issues/{number}/labels"
        self._once("POST", path, json={"labels": list(labels)})

    def post_comment(self, repository: str, number: int, body: str) -> str:
        """Comment on a pull request; the comment's address."""
        path = f"/repos/{repository}/issues/{number}/comments"
        answer = self._once("POST", path, json={"body": body})
        return str(answer.get("html_url", "")) if isinstance(answer, dict) else ""

    # ---------------------------------------------------------------- transport

    def _pages(self, repository: str, query: dict[str, str]) -> Iterator[Any]:
        for page in range(1, _PAGES + 1):
            params = {**query, "per_page": str(_PAGE), "page": str(page)}
            items = self._read(f"/repos/{repository}/pulls", params)
            if not isinstance(items, list):
                raise GithubError("the list of pull requests is not a list")
            yield from items
            if len(items) < _PAGE:
                return
        raise GithubError(f"{repository} has more than {_PAGE * _PAGES} such pull requests")

    def _read(self, path: str, params: dict[str, str] | None = None) -> Any:
        for attempt in stamina.retry_context(on=_retry_after, attempts=4, timeout=150.0):
            with attempt:
                return self._once("GET", path, params=params)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _once(
        self, method: str, path: str, *, params: dict[str, str] | None = None, json: Any = None
    ) -> Any:
        call = f"{method} {path}"
        try:
            response = self._http.request(method, path, params=params, json=json)
        except httpx.HTTPError as error:
            raise GithubError(f"{call}: {type(error).__name__}", retryable=True) from error
        if response.status_code >= _OK:
            raise _error(response, call)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise GithubError(f"{call} answered something that is no JSON") from error


def parse_pull(repository: str, answer: Any) -> PullRequest:
    """A pull request as GitHub sends it; GithubError naming what does not fit."""
    try:
        pull = _Pull.model_validate(answer)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise GithubError(f"unexpected pull request at '{where}': {first['msg']}") from error
    return PullRequest(
        repository=repository,
        number=pull.number,
        url=pull.html_url,
        author=pull.user.login if pull.user else "",
        title=pull.title,
        branch=pull.head.ref,
        base=pull.base.ref,
        head_commit=pull.head.sha,
        state=pull.state,
        draft=pull.draft,
        merged=pull.merged_at is not None,
        merge_commit=pull.merge_commit_sha if pull.merged_at else None,
        mergeable=pull.mergeable,
        labels=tuple(label.name for label in pull.labels),
        body=pull.body or "",
        created_at=pull.created_at,
        merged_at=pull.merged_at,
        closed_at=pull.closed_at,
    )


def _commit_of(answer: Any) -> str:
    try:
        return str(answer["object"]["sha"])
    except (KeyError, TypeError) as error:
        raise GithubError("a branch came without its commit") from error


def _error(response: httpx.Response, call: str) -> GithubError:
    status, reason = response.status_code, _reason(response)
    limited = _limit_wait(response, reason)
    if limited is not None:
        message = f"rate limit reached at {call}: {reason}"
        return GithubError(message, retryable=True, retry_after=limited or None)
    if status == httpx.codes.UNAUTHORIZED:
        return GithubError("GITHUB_TOKEN is wrong or has expired: create a new one")
    if status == httpx.codes.FORBIDDEN:
        needed = response.headers.get("X-Accepted-GitHub-Permissions")
        hint = f"; the call needs {needed}" if needed else ""
        return GithubError(f"GITHUB_TOKEN lacks a permission for {call}{hint}: {reason}")
    if status == httpx.codes.NOT_FOUND:
        return NotFoundError(f"{call}: not found, or the token may not see it")
    if status == httpx.codes.UNPROCESSABLE_ENTITY:
        return InvalidError(f"{call} was refused: {reason}")
    retryable = status >= httpx.codes.INTERNAL_SERVER_ERROR
    return GithubError(f"{call} answered {status}: {reason}", retryable=retryable)


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


def _retry_after(error: Exception) -> bool | float:
    if not isinstance(error, GithubError) or not error.retryable:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= _LONGEST_WAIT else False
