"""Reads git objects through a private git folder, so that a repository's own files decide nothing.

Only the object folder is the repository's. Its configuration, hooks, attributes, grafts, replace
references, shallow and partial-clone marks are never looked at; borrowed objects are refused.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from autofix.change.git import run_git
from autofix.errors import GitError

COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LISTING_CAP = 16 << 20
_CONTENT_CAP = 64 << 20
_SHA256_HEX = 64
_BORROWED = ("alternates", "http-alternates")


class Stored(NamedTuple):
    """What is known of an object without reading it."""

    id: str
    kind: str
    size: int


class Change(NamedTuple):
    """One file that differs between two commits, as git stores it."""

    old_mode: str
    mode: str
    old_blob: str
    blob: str
    status: str
    path: str
    """With surrogates in place of bytes that are not UTF-8."""


class Objects:
    """The objects of one repository."""

    def __init__(self, store: Path, private: Path) -> None:
        self._private = private
        self._environment = {"GIT_DIR": str(private), "GIT_OBJECT_DIRECTORY": str(store)}

    def git(self, *args: str, stdin: bytes = b"", max_output: int = _LISTING_CAP) -> bytes:
        """Standard output of a git command over these objects."""
        return run_git(
            *args,
            cwd=self._private,
            environment=self._environment,
            stdin=stdin,
            max_output=max_output,
        )

    def describe(self, ids: Sequence[str]) -> list[Stored]:
        """Kind and size of each; GitError when one is missing."""
        out = self.git("cat-file", "--batch-check", stdin=_lines(ids)).decode()
        rows = [line.split(" ") for line in out.splitlines()]
        for row in rows:
            if len(row) != len(Stored._fields):
                raise GitError(f"object {row[0][:12]} is missing")
        return [Stored(id_, kind, int(size)) for id_, kind, size in rows]

    def read(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The raw content of each, by its id."""
        wanted = list(dict.fromkeys(ids))
        out = self.git("cat-file", "--batch", stdin=_lines(wanted), max_output=_CONTENT_CAP)
        found, position = {}, 0
        for id_ in wanted:
            end = out.index(b"\n", position)
            _, _, size = out[position:end].decode().split(" ")
            position = end + 1 + int(size)
            found[id_] = out[end + 1 : position]
            position += 1
        return found

    def list_range(self, base: str, head: str) -> list[str]:
        """Ids of all objects that `head` has and `base` has not."""
        out = self.git("rev-list", "--objects", "--no-object-names", head, f"^{base}", "--")
        return out.decode().split()

    def list_commits(self, base: str, head: str, most: int) -> list[str]:
        """The newest commits of the range, at most so many, the oldest of them first."""
        cap = f"--max-count={most}"
        out = self.git("rev-list", "--topo-order", cap, head, f"^{base}", "--")
        return out.decode().split()[::-1]

    def descends(self, base: str, head: str) -> bool:
        """Whether `base` is an ancestor of `head`."""
        out = self.git("rev-list", "--max-count=1", base, f"^{head}", "--")
        return out.strip() == b""

    def changes(self, old: str, new: str) -> list[Change]:
        """What differs between two commits or trees; a renamed file is one gone and one new."""
        out = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", old, new)
        fields = iter(out.split(b"\0")[:-1])
        return [_parse(meta, path) for meta, path in zip(fields, fields, strict=True)]

    def paths(self, commit: str) -> list[str]:
        """Every file and folder of a commit."""
        out = self.git("ls-tree", "-r", "-t", "-z", "--name-only", "--full-tree", commit)
        return [_path(name) for name in out.split(b"\0")[:-1]]


@contextmanager
def open_objects(repository: Path, example: str) -> Iterator[Objects]:
    """The objects of a repository, bare or not.

    Args:
        repository: its folder.
        example: one of its ids; tells which hash it uses.
    """
    store = _find_store(repository)
    for name in _BORROWED:
        if (store / "info" / name).exists():
            raise GitError("the repository borrows objects from somewhere else")
    with tempfile.TemporaryDirectory(prefix="autofix-gate-") as folder:
        private = Path(folder)
        for name in ("refs", "objects"):
            (private / name).mkdir()
        (private / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
        (private / "config").write_text(_configuration(example), encoding="utf-8")
        yield Objects(store.resolve(), private)


def _configuration(example: str) -> str:
    version, extension = 0, ""
    if len(example) == _SHA256_HEX:
        version, extension = 1, "[extensions]\n\tobjectFormat = sha256\n"
    return f"[core]\n\trepositoryformatversion = {version}\n\tbare = true\n{extension}"


def _find_store(repository: Path) -> Path:
    for folder in (repository, repository / ".git"):
        if (folder / "objects").is_dir() and (folder / "HEAD").exists():
            return folder / "objects"
    raise GitError("there is no git repository")


def _parse(meta: bytes, path: bytes) -> Change:
    old_mode, mode, old_blob, blob, status = meta.decode().removeprefix(":").split(" ")
    return Change(old_mode, mode, old_blob, blob, status, _path(path))


def _path(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _lines(ids: Sequence[str]) -> bytes:
    return "".join(f"{id_}\n" for id_ in ids).encode()
