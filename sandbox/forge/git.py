"""Bare git repositories, through the real git."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PERSON = "Robin Example"
PERSON_EMAIL = "robin@example.com"
_FIELD = "\x1f"
_RECORD = "\x1e"
_LOG_FORMAT = _FIELD.join(("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"))
_STATUS = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}


class GitFailed(Exception):
    """Git refused; the message is what it said."""


def git_environment() -> dict[str, str]:
    """An environment in which no configuration of this machine or its user is read."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": PERSON,
        "GIT_AUTHOR_EMAIL": PERSON_EMAIL,
        "GIT_COMMITTER_NAME": PERSON,
        "GIT_COMMITTER_EMAIL": PERSON_EMAIL,
        "LC_ALL": "C",
    }


def run_git(*arguments: str | Path) -> bytes:
    """Standard output of one git command; GitFailed when it did not end with 0."""
    done = subprocess.run(
        ["git", *map(str, arguments)], capture_output=True, env=git_environment(), check=False
    )
    if done.returncode:
        raise GitFailed(done.stderr.decode(errors="replace").strip())
    return done.stdout


@dataclass(frozen=True)
class Signature:
    """Who and when."""

    name: str
    email: str
    date: str


@dataclass(frozen=True)
class Commit:
    """One commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True)
class ChangedFile:
    """One file of a diff."""

    path: str
    status: str
    blob: str
    additions: int
    deletions: int
    patch: str | None
    """Its hunks; None for a binary."""


@dataclass(frozen=True)
class Entry:
    """One entry of a tree."""

    mode: str
    type: str
    sha: str
    size: int | None
    path: str


class Repository:
    """One bare repository."""

    def __init__(self, full_name: str, path: Path) -> None:
        self.full_name = full_name
        self.path = path

    @classmethod
    def create(cls, full_name: str, path: Path, source: Path, message: str) -> Repository:
        """A new repository whose main holds one commit with the content of `source`."""
        run_git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", path)
        (path / "info").mkdir(exist_ok=True)
        (path / "info" / "exclude").write_text("__pycache__/\n*.pyc\n")
        work = ("--git-dir", path, "--work-tree", source)
        run_git(*work, "add", "--all")
        run_git(*work, "commit", "--quiet", "--message", message)
        (path / "index").unlink()
        return cls(full_name, path)

    def git(self, *arguments: str | Path) -> str:
        """Standard output of a git command in this repository, as text."""
        return run_git("--git-dir", self.path, *arguments).decode(errors="replace")

    def resolve(self, ref: str) -> str | None:
        """The commit a branch, tag or hash names; None when there is none."""
        try:
            verify = ("rev-parse", "--verify", "--quiet", "--end-of-options")
            return self.git(*verify, f"{ref}^{{commit}}").strip()
        except GitFailed:
            return None

    def branches(self) -> dict[str, str]:
        """Every branch and the commit it stands at, by name."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/")
        pairs = (line.split(" ") for line in lines.splitlines())
        return {name.removeprefix("refs/heads/"): sha for name, sha in pairs}

    def delete_branch(self, branch: str) -> None:
        """Remove a branch."""
        self.git("update-ref", "-d", f"refs/heads/{branch}")

    def commits(self, revisions: str, *, newest_first: bool = False) -> list[Commit]:
        """The commits of a revision range."""
        order = () if newest_first else ("--reverse",)
        out = self.git("log", *order, f"--format={_LOG_FORMAT}{_RECORD}", revisions, "--")
        return [
            _parse_commit(record.lstrip("\n")) for record in out.split(_RECORD) if record.strip()
        ]

    def commit(self, sha: str) -> Commit:
        """One commit by its full hash."""
        return self.commits(f"{sha}^!")[0]

    def count(self, base: str, head: str) -> tuple[int, int]:
        """How many commits `head` is ahead of and behind `base`."""
        behind, ahead = self.git("rev-list", "--left-right", "--count", f"{base}...{head}").split()
        return int(ahead), int(behind)

    def merge_base(self, base: str, head: str) -> str:
        """The newest common ancestor; the base itself when histories are unrelated."""
        try:
            return self.git("merge-base", base, head).strip()
        except GitFailed:
            return base

    def files(self, old: str, new: str) -> list[ChangedFile]:
        """What changed from one commit or tree to another."""
        diff = ("diff", "--no-renames", "--full-index")
        raw = self.git(*diff, "--raw", "-z", old, new).split("\0")
        counts = self.git(*diff, "--numstat", "-z", old, new).split("\0")
        sizes = {path: (a, d) for a, d, path in (c.split("\t", 2) for c in counts if c)}
        changed = zip(raw[0::2], raw[1::2], strict=False)
        return [self._file(meta.split(" "), path, sizes[path], old, new) for meta, path in changed]

    def _file(
        self, meta: list[str], path: str, counts: tuple[str, str], old: str, new: str
    ) -> ChangedFile:
        _, _, old_blob, new_blob, letter = meta
        binary = counts[0] == "-"
        text = (
            "" if binary else self.git("diff", "--no-renames", old, new, "--", f":(literal){path}")
        )
        hunks = text.find("\n@@")
        return ChangedFile(
            path=path,
            status=_STATUS.get(letter[0], "changed"),
            blob=old_blob if letter == "D" else new_blob,
            additions=0 if binary else int(counts[0]),
            deletions=0 if binary else int(counts[1]),
            patch=text[hunks + 1 :].rstrip("\n") if hunks >= 0 else None,
        )

    def tree(self, treeish: str, *, recursive: bool = False) -> list[Entry]:
        """The entries of a commit's or a folder's tree; GitFailed when it is no tree."""
        deep = ("-r", "-t") if recursive else ()
        out = self.git("ls-tree", "--long", "-z", *deep, "--end-of-options", treeish)
        return [_parse_entry(line) for line in out.split("\0") if line]

    def entry(self, commit: str, path: str) -> Entry | None:
        """The file or folder at this path; None when there is none."""
        out = self.git("ls-tree", "--long", "-z", commit, "--", f":(literal){path}")
        return _parse_entry(out.rstrip("\0")) if out else None

    def blob(self, sha: str) -> bytes:
        """The content of a file."""
        return run_git("--git-dir", self.path, "cat-file", "blob", sha)

    def can_merge(self, base: str, head: str) -> bool:
        """Whether a merge into a branch would be without conflict."""
        try:
            self.git("merge-tree", "--write-tree", f"refs/heads/{base}", head)
        except GitFailed:
            return False
        return True

    def merge(self, base: str, head: str, message: str, *, squash: bool = False) -> str:
        """Merge a commit into a branch as a person does; GitFailed on a conflict.

        Done in a throw-away clone, since a bare repository has no work tree to merge in.
        """
        work = Path(tempfile.mkdtemp(prefix="merge-", dir=self.path.parent))
        try:
            run_git("clone", "--quiet", "--shared", "--branch", base, self.path, work)
            kind = "--squash" if squash else "--no-ff"
            run_git("-C", work, "merge", "--quiet", kind, "-m", message, head)
            if squash:
                run_git("-C", work, "commit", "--quiet", "--message", message)
            run_git("-C", work, "push", "--quiet", "origin", f"HEAD:refs/heads/{base}")
        finally:
            shutil.rmtree(work)
        return self.branches()[base]


def _parse_commit(record: str) -> Commit:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = record.split(_FIELD, 9)
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Signature(an, ae, ad),
        committer=Signature(cn, ce, cd),
        message=message.rstrip("\n"),
    )


def _parse_entry(line: str) -> Entry:
    meta, path = line.split("\t", 1)
    mode, kind, sha, size = meta.split()
    return Entry(mode, kind, sha, None if size == "-" else int(size), path)
