"""What the forge remembers beside the repositories: pull requests, comments, labels. In memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.forge.git import Commit, GitFailed, Repository

OnPush = Callable[[str, str, str], None]
BOT = "acme-bot"
REVIEWER = "robin"
BODY_LIMIT = 65_536


class Refused(Exception):
    """A request that cannot be carried out, as the status and body GitHub would answer with."""

    def __init__(self, status: int, message: str, *errors: dict[str, str] | str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


@dataclass
class Comment:
    """A comment on a pull request."""

    id: int
    body: str
    login: str
    created_at: datetime
    updated_at: datetime


@dataclass
class Pull:
    """A pull request."""

    number: int
    title: str
    body: str
    branch: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool
    login: str
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merge_commit: str | None = None
    labels: list[str] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)


@dataclass(frozen=True)
class Label:
    """A label of a repository."""

    name: str
    color: str = "ededed"
    description: str = ""


def clock() -> datetime:
    """Now, to the second, as the forge writes times."""
    return datetime.now(UTC).replace(microsecond=0)


class Project:
    """A repository with its pull requests. Every method that changes something takes the lock."""

    def __init__(self, repository: Repository, on_push: OnPush) -> None:
        self.repository = repository
        self.pulls: dict[int, Pull] = {}
        self.labels: dict[str, Label] = {}
        self.checks: list[dict[str, Any]] = []
        self.reviews: dict[int, list[Any]] = {}
        self.lock = threading.RLock()
        self._on_push = on_push
        self._last_comment = 0

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return self.repository.full_name

    @property
    def owner(self) -> str:
        """The part before the slash."""
        return self.full_name.partition("/")[0]

    def pull(self, number: int) -> Pull:
        """The pull request with this number; Refused with 404 when there is none."""
        if number not in self.pulls:
            raise Refused(404, "Not Found")
        return self.pulls[number]

    def open_pull(self, *, title: str, head: str, base: str, body: str, draft: bool) -> Pull:
        """Open a pull request, or refuse it for the reasons GitHub has."""
        branch = head.removeprefix(f"{self.owner}:")
        with self.lock:
            head_sha, base_sha = self._check_new(title, branch, base, body)
            now = clock()
            pull = Pull(
                number=len(self.pulls) + 1,
                title=title,
                body=body,
                branch=branch,
                base=base,
                head_sha=head_sha,
                base_sha=base_sha,
                draft=draft,
                login=BOT,
                created_at=now,
                updated_at=now,
            )
            self.pulls[pull.number] = pull
        return pull

    def _check_new(self, title: str, branch: str, base: str, body: str) -> tuple[str, str]:
        if not title:
            raise _invalid({"field": "title", "code": "missing_field"})
        _check_body(body)
        branches = self.repository.branches()
        for name, value in (("head", branch), ("base", base)):
            if value not in branches:
                raise _invalid({"field": name, "code": "invalid"})
        if any(
            p.state == "open" and (p.branch, p.base) == (branch, base) for p in self.pulls.values()
        ):
            text = f"A pull request already exists for {self.owner}:{branch}."
            raise _invalid({"code": "custom", "message": text})
        if self.repository.count(branches[base], branches[branch])[0] == 0:
            raise _invalid({"code": "custom", "message": f"No commits between {base} and {branch}"})
        return branches[branch], branches[base]

    def edit_pull(
        self, number: int, *, title: str | None, body: str | None, state: str | None
    ) -> Pull:
        """Change title or body, close or reopen."""
        with self.lock:
            pull = self.pull(number)
            if body is not None:
                _check_body(body)
                pull.body = body
            pull.title = title or pull.title
            if state is not None and state != pull.state:
                self._set_state(pull, state)
            pull.updated_at = clock()
        return pull

    def _set_state(self, pull: Pull, state: str) -> None:
        if state == "closed":
            pull.state, pull.closed_at = "closed", clock()
        elif state != "open" or pull.merged_at or pull.branch not in self.repository.branches():
            raise _invalid({"field": "state", "code": "invalid"})
        else:
            pull.state, pull.closed_at = "open", None

    def merge_pull(
        self, number: int, *, method: str = "merge", expected: str | None = None
    ) -> Pull:
        """A person's merge: marks a draft as ready first, as the person would, then merges."""
        with self.lock:
            pull = self.pull(number)
            if pull.state != "open":
                raise Refused(405, "Pull Request is not mergeable")
            if expected not in (None, pull.head_sha):
                raise Refused(409, "Head branch was modified. Review and try the merge again.")
            message = (
                f"Merge pull request #{number} from {self.owner}/{pull.branch}\n\n{pull.title}"
            )
            squash = method == "squash"
            if squash:
                message = f"{pull.title} (#{number})"
            try:
                sha = self.repository.merge(pull.base, pull.head_sha, message, squash=squash)
            except GitFailed as error:
                raise Refused(405, "Pull Request is not mergeable") from error
            pull.draft, pull.state, pull.merge_commit = False, "closed", sha
            pull.merged_at = pull.closed_at = pull.updated_at = clock()
        self._announce(pull.base, sha)
        return pull

    def comment(self, number: int, body: str, login: str = BOT) -> Comment:
        """Add a comment."""
        if not body:
            raise _invalid({"field": "body", "code": "missing_field"})
        with self.lock:
            pull = self.pull(number)
            self._last_comment += 1
            comment = Comment(self._last_comment, body, login, clock(), clock())
            pull.comments.append(comment)
        return comment

    def find_comment(self, comment_id: int) -> tuple[Pull, Comment]:
        """A comment and its pull request; Refused with 404 when there is none."""
        for pull in self.pulls.values():
            for comment in pull.comments:
                if comment.id == comment_id:
                    return pull, comment
        raise Refused(404, "Not Found")

    def create_label(self, label: Label) -> Label:
        """Create a label; Refused with 422 when it exists."""
        with self.lock:
            if not label.name or label.name in self.labels:
                code = "already_exists" if label.name else "missing_field"
                error = {"resource": "Label", "code": code, "field": "name"}
                raise Refused(422, "Validation Failed", error)
            self.labels[label.name] = label
        return label

    def add_labels(self, number: int, names: list[str]) -> Pull:
        """Put labels on a pull request; unknown ones are created, as GitHub does."""
        with self.lock:
            pull = self.pull(number)
            for name in names:
                self.labels.setdefault(name, Label(name))
                if name not in pull.labels:
                    pull.labels.append(name)
        return pull

    def forget(self) -> None:
        """Be without pull requests, reviews and branches other than main again."""
        with self.lock:
            self.pulls.clear()
            self.reviews.clear()
            for branch in set(self.repository.branches()) - {"main"}:
                self.repository.delete_branch(branch)

    def forget_outcomes(self) -> None:
        """Be without comments, and without labels other than the first of each pull request."""
        with self.lock:
            for pull in self.pulls.values():
                pull.comments.clear()
                del pull.labels[1:]

    def delete_branch(self, branch: str) -> None:
        """Delete a branch, which closes its open pull requests."""
        with self.lock:
            before = self.repository.branches()
            if branch not in before:
                raise Refused(422, "Reference does not exist")
            self.repository.delete_branch(branch)
            self.after_push(before)

    def after_push(self, before: dict[str, str]) -> None:
        """Follow branches that moved since `before`: pull requests now, `on_push` in a thread."""
        after = self.repository.branches()
        moved = {branch for branch in before | after if before.get(branch) != after.get(branch)}
        with self.lock:
            for pull in self.pulls.values():
                if pull.state == "open" and pull.branch in moved:
                    self._follow(pull, after.get(pull.branch))
        for branch in sorted(moved & set(after)):
            self._announce(branch, after[branch])

    def _follow(self, pull: Pull, sha: str | None) -> None:
        pull.updated_at = clock()
        if sha is None:
            pull.state, pull.closed_at = "closed", clock()
        else:
            pull.head_sha = sha

    def _announce(self, branch: str, sha: str) -> None:
        arguments = (self.full_name, branch, sha)
        threading.Thread(target=self._on_push, args=arguments, daemon=True).start()

    def range_of(self, pull: Pull) -> tuple[str, str]:
        """What a pull request shows: from the point where its branch left the base, to its head."""
        return self.repository.merge_base(pull.base_sha, pull.head_sha), pull.head_sha

    def commits_of(self, pull: Pull) -> list[Commit]:
        """The commits of a pull request, oldest first."""
        start, end = self.range_of(pull)
        return self.repository.commits(f"{start}..{end}")


def create_project(
    root: Path, full_name: str, source: Path, message: str, on_push: OnPush
) -> Project:
    """A project whose repository lies below `root`."""
    path = root / f"{full_name}.git"
    path.parent.mkdir(parents=True, exist_ok=True)
    return Project(Repository.create(full_name, path, source, message), on_push)


def _invalid(error: dict[str, str]) -> Refused:
    return Refused(422, "Validation Failed", {"resource": "PullRequest", **error})


def _check_body(body: str) -> None:
    if len(body) > BODY_LIMIT:
        text = f"body is too long (maximum is {BODY_LIMIT} characters)"
        raise _invalid({"field": "body", "code": "custom", "message": text})
