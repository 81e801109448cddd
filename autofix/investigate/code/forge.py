"""Reads one repository at one commit through the forge's API, within a budget of requests."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from autofix.change.github import GithubClient
from autofix.change.github_errors import NotFoundError
from autofix.errors import GithubError

FILES = 40
"""Files that are read for one service."""
FILE_BYTES = 200_000
"""A larger file is generated, or data."""
_WORKERS = 4
_PATCHES = 300

M = TypeVar("M", bound=BaseModel)


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Node(_Wire):
    path: str
    type: str
    size: int = 0


class _Tree(_Wire):
    tree: tuple[_Node, ...] = ()


class ChangedFile(_Wire):
    """One file of a comparison."""

    filename: str
    status: str = ""
    additions: int = 0
    deletions: int = 0
    patch: str | None = None
    """Absent for binaries and very large changes."""


class _CommitText(_Wire):
    message: str = ""


class CommitLine(_Wire):
    """One commit of a comparison."""

    sha: str
    commit: _CommitText = _CommitText()

    @property
    def subject(self) -> str:
        """Its message's first line."""
        return self.commit.message.split("\n", 1)[0]


class Comparison(_Wire):
    """What lies between two commits."""

    status: str = ""
    ahead_by: int = 0
    behind_by: int = 0
    commits: tuple[CommitLine, ...] = ()
    files: tuple[ChangedFile, ...] = ()


@dataclass
class Repository:
    """One repository at one commit. Files are kept once they were read."""

    client: GithubClient
    name: str
    """``owner/name``."""
    commit: str
    _files: dict[str, str | None] = field(default_factory=dict)
    _sizes: dict[str, int] | None = None

    def sizes(self) -> dict[str, int]:
        """Bytes of every file by its path; GithubError when the commit cannot be read."""
        if self._sizes is None:
            answer = self.client.read(
                f"/repos/{self.name}/git/trees/{self.commit}", {"recursive": "1"}
            )
            tree = _parse(_Tree, answer)
            self._sizes = {node.path: node.size for node in tree.tree if node.type == "blob"}
        return self._sizes

    def fetch_files(self, paths: Iterable[str]) -> dict[str, str]:
        """Texts of those of the files that are text, not too large, and within the budget."""
        sizes = self.sizes()
        wanted = [p for p in dict.fromkeys(paths) if 0 < sizes.get(p, 0) <= FILE_BYTES]
        unread = [p for p in wanted if p not in self._files][: FILES - len(self._files)]
        if unread:
            with ThreadPoolExecutor(_WORKERS, thread_name_prefix="forge") as pool:
                self._files.update(zip(unread, pool.map(self._fetch, unread), strict=True))
        return {p: text for p in wanted if (text := self._files.get(p)) is not None}

    def compare(self, base: str, head: str) -> Comparison:
        """What lies between two commits, from where they part."""
        path = f"/repos/{self.name}/compare/{base}...{head}"
        found = _parse(Comparison, self.client.read(path))
        return found.model_copy(update={"files": found.files[:_PATCHES]})

    def _fetch(self, path: str) -> str | None:
        try:
            answer = self.client.read(
                f"/repos/{self.name}/contents/{quote(path)}", {"ref": self.commit}
            )
        except NotFoundError:
            return None
        return _decoded(answer)


def _decoded(answer: Any) -> str | None:
    """A file's text; None for what is no text."""
    if not isinstance(answer, dict) or answer.get("encoding") != "base64":
        return None
    try:
        raw = base64.b64decode(str(answer.get("content") or ""))
        text = raw.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return None if "\0" in text else text


def _parse(model: type[M], answer: Any) -> M:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise GithubError(f"unexpected answer at '{where}': {first['msg']}") from error
