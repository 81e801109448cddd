"""Client of GitHub's REST API: the calls a draft pull request needs.

Reads are retried inside, obeying what GitHub asks for. Writes are sent once; who repeats a run
looks first whether they happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx
import stamina
from pydantic import BaseModel, ConfigDict, ValidationError

from autofix.change.github_errors import InvalidError, NotFoundError, read_error
from autofix.errors import GithubError
from autofix.http import build_client
from autofix.models import Model, PullRequest
from autofix.settings import Settings

_PAGE = 100
_PAGES = 30
_LONGEST_WAIT = 60.0
_LABEL_COLOUR = "5319e7"


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Home(_Wire):
    full_name: str = ""


class _Ref(_Wire):
    ref: str
    sha: str | None = None
    repo: _Home | None = _Home()
    """None when a fork was deleted."""


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


class _Repository(_Wire):
    full_name: str
    default_branch: str = "main"
    archived: bool = False
    disabled: bool = False
    permissions: dict[str, bool] | None = None


class Repository(Model):
    """What matters of a repository before anything is written to it."""

    name: str
    default_branch: str
    read_only: str = ""
    """Why nothing can be written, if that is so."""
    may_push: bool = True


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

    def fetch_repository(self, repository: str) -> Repository:
        """A repository; MovedError when it has another name now."""
        try:
            found = _Repository.model_validate(self._read(f"/repos/{repository}"))
        except ValidationError as error:
            raise GithubError(f"{repository} came in an unknown form") from error
        states = {"archived": found.archived, "disabled": found.disabled}
        return Repository(
            name=found.full_name,
            default_branch=found.default_branch,
            read_only=next((name for name, is_so in states.items() if is_so), ""),
            may_push=(found.permissions or {}).get("push", True),
        )

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
        found = self._pulls(repository, {"state": state})
        return tuple(
            pull
            for pull in found
            if pull.branch.startswith(head_prefix) and (not label or label in pull.labels)
        )

    def find_by_branch(self, repository: str, branch: str) -> PullRequest | None:
        """The newest pull request from this branch, an open one before closed ones."""
        owner = repository.partition("/")[0]
        query = {"state": "all", "head": f"{owner}:{branch}"}
        # asked again here: some forges ignore the filter
        matching = [p for p in self._pulls(repository, query) if p.branch == branch]
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

    def make_label(self, repository: str, label: str) -> None:
        """Make a label unless the repository has it."""
        body = {"name": label, "color": _LABEL_COLOUR}
        try:
            self._once("POST", f"/repos/{repository}/labels", json=body)
        except InvalidError as error:
            if "already_exists" not in str(error):
                raise

    def add_labels(self, repository: str, number: int, labels: Sequence[str]) -> None:
        """Put labels on a pull request; those the repository lacks are made."""
        for label in labels:
            self.make_label(repository, label)
        path = f"/repos/{repository}/issues/{number}/labels"
        self._once("POST", path, json={"labels": list(labels)})

    def post_comment(self, repository: str, number: int, body: str) -> str:
        """Comment on a pull request; the comment's address."""
        path = f"/repos/{repository}/issues/{number}/comments"
        answer = self._once("POST", path, json={"body": body})
        return str(answer.get("html_url", "")) if isinstance(answer, dict) else ""

    # ---------------------------------------------------------------- transport

    def _pulls(self, repository: str, query: dict[str, str]) -> Iterator[PullRequest]:
        """Those from branches of the repository itself: anybody may name a fork's branch as ours."""
        for item in self._pages(repository, query):
            pull = _parse_wire(item)
            home = pull.head.repo
            if home and home.full_name.lower() in {"", repository.lower()}:
                yield parse_pull(repository, item)

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
        if not response.is_success:
            raise read_error(response, call)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise GithubError(f"{call} answered something that is no JSON") from error


def parse_pull(repository: str, answer: Any) -> PullRequest:
    """A pull request as GitHub sends it; GithubError naming what does not fit."""
    pull = _parse_wire(answer)
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


def _parse_wire(answer: Any) -> _Pull:
    try:
        return _Pull.model_validate(answer)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise GithubError(f"unexpected pull request at '{where}': {first['msg']}") from error


def _commit_of(answer: Any) -> str:
    try:
        return str(answer["object"]["sha"])
    except (KeyError, TypeError) as error:
        raise GithubError("a branch came without its commit") from error


def _retry_after(error: Exception) -> bool | float:
    if not isinstance(error, GithubError) or not error.retryable:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= _LONGEST_WAIT else False
