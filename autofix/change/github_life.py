"""What GitHub knows of a pull request after it was opened: talk, checks, reviews, its merge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from autofix.change.github import GithubClient, parse_pull
from autofix.change.github_errors import NotFoundError
from autofix.errors import GithubError
from autofix.models import Model, PullRequest

_PAGE = 100
_PAGES = 10
_FAILED = frozenset({"failure", "timed_out", "startup_failure"})
_WRITERS = frozenset({"admin", "maintain", "write"})

W = TypeVar("W", bound=BaseModel)


class Comment(Model):
    """A comment on a pull request."""

    id: int
    author: str
    body: str
    created_at: AwareDatetime


class Check(Model):
    """A check of a commit that failed."""

    name: str
    summary: str
    url: str = ""


class Review(Model):
    """A review that asks for changes, by somebody who may write."""

    id: int
    author: str
    body: str
    submitted_at: AwareDatetime


class PullCommit(Model):
    """A commit of a pull request."""

    sha: str
    author_email: str


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _User(_Wire):
    login: str = ""


class _WireComment(_Wire):
    id: int
    user: _User | None = None
    body: str | None = None
    created_at: datetime


class _WireOutput(_Wire):
    title: str | None = None
    summary: str | None = None


class _WireCheck(_Wire):
    name: str
    conclusion: str | None = None
    html_url: str | None = None
    output: _WireOutput = _WireOutput()


class _WireReview(_Wire):
    id: int
    user: _User | None = None
    body: str | None = None
    state: str
    submitted_at: datetime | None = None


class _WireAuthor(_Wire):
    email: str = ""


class _WireCommitDetail(_Wire):
    author: _WireAuthor = _WireAuthor()


class _WireCommit(_Wire):
    sha: str
    commit: _WireCommitDetail = Field(default_factory=_WireCommitDetail)


class LifeClient(GithubClient):
    """The same client, with the calls that follow a pull request to its end."""

    def fetch_pull(self, repository: str, number: int) -> PullRequest:
        """One pull request, with whether it can be merged."""
        return parse_pull(repository, self._read(f"/repos/{repository}/pulls/{number}"))

    def fetch_comments(self, repository: str, number: int) -> tuple[Comment, ...]:
        """Its comments, oldest first."""
        return tuple(
            Comment(
                id=c.id,
                author=c.user.login if c.user else "",
                body=c.body or "",
                created_at=c.created_at,
            )
            for c in self._list(f"/repos/{repository}/issues/{number}/comments", _WireComment)
        )

    def fetch_commits(self, repository: str, number: int) -> tuple[PullCommit, ...]:
        """Its commits, oldest first."""
        return tuple(
            PullCommit(sha=c.sha, author_email=c.commit.author.email)
            for c in self._list(f"/repos/{repository}/pulls/{number}/commits", _WireCommit)
        )

    def fetch_failed_checks(self, repository: str, commit: str) -> tuple[Check, ...]:
        """The checks of a commit that ended badly; those that still run are not among them."""
        path = f"/repos/{repository}/commits/{commit}/check-runs"
        answer = self._read(path, {"per_page": str(_PAGE)})
        runs = answer.get("check_runs") if isinstance(answer, dict) else None
        return tuple(
            Check(
                name=run.name,
                summary="\n".join(filter(None, (run.output.title, run.output.summary))),
                url=run.html_url or "",
            )
            for run in (_parse(_WireCheck, item) for item in runs or ())
            if run.conclusion in _FAILED
        )

    def fetch_change_requests(self, repository: str, number: int) -> tuple[Review, ...]:
        """Reviews that ask for changes and were not answered by a newer one of the same person.

        Only of people who may write to the repository.
        """
        newest: dict[str, _WireReview] = {}
        for review in self._list(f"/repos/{repository}/pulls/{number}/reviews", _WireReview):
            if review.user and review.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}:
                newest[review.user.login] = review
        return tuple(
            Review(id=r.id, author=login, body=r.body or "", submitted_at=r.submitted_at)
            for login, r in newest.items()
            if r.state == "CHANGES_REQUESTED"
            and r.submitted_at
            and self.may_write(repository, login)
        )

    def may_write(self, repository: str, login: str) -> bool:
        """Whether this person has write permission; somebody unknown has not."""
        path = f"/repos/{repository}/collaborators/{quote(login)}/permission"
        try:
            answer = self._read(path)
        except NotFoundError:
            return False
        return isinstance(answer, dict) and answer.get("permission") in _WRITERS

    def contains(self, repository: str, ancestor: str, commit: str) -> bool:
        """Whether `commit` is `ancestor` or descends from it; False when one of them is unknown."""
        try:
            answer = self._read(f"/repos/{repository}/compare/{ancestor}...{commit}")
        except NotFoundError:
            return False
        return isinstance(answer, dict) and answer.get("status") in {"ahead", "identical"}

    def fetch_changed_paths(self, repository: str, base: str, head: str) -> tuple[str, ...]:
        """Paths that differ between two commits; GitHub names at most 300."""
        answer = self._read(f"/repos/{repository}/compare/{base}...{head}")
        files = answer.get("files") if isinstance(answer, dict) else None
        return tuple(str(item.get("filename")) for item in files or () if isinstance(item, dict))

    def edit_comment(self, repository: str, comment_id: int, body: str) -> None:
        """Change a comment."""
        path = f"/repos/{repository}/issues/comments/{comment_id}"
        self._once("PATCH", path, json={"body": body})

    def describe(self, repository: str, number: int, *, title: str, body: str) -> None:
        """Give a pull request another title and text."""
        path = f"/repos/{repository}/pulls/{number}"
        self._once("PATCH", path, json={"title": title, "body": body})

    def close_pull(self, repository: str, number: int) -> None:
        """Close a pull request without merging it."""
        self._once("PATCH", f"/repos/{repository}/pulls/{number}", json={"state": "closed"})

    def _list(self, path: str, wire: type[W]) -> Iterator[W]:
        for page in range(1, _PAGES + 1):
            items = self._read(path, {"per_page": str(_PAGE), "page": str(page)})
            if not isinstance(items, list):
                raise GithubError(f"{path} is not a list")
            yield from (_parse(wire, item) for item in items)
            if len(items) < _PAGE:
                return


def _parse(wire: type[W], item: Any) -> W:
    try:
        return wire.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise GithubError(f"unexpected answer at '{where}': {first['msg']}") from error
