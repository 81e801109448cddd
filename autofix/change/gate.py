"""May these commits be published? Decided on git objects, outside the agent.

Judged are the commits themselves, one by one, because each of them is published: paths, modes and
contents as git stores them, never a rendered diff. An error is a denial.

Not judged here yet: deleted or skipped tests, secrets, trojan-source characters, hosts in lock
files. Each belongs into `_judge_content` or `_judge_change` as one more function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from autofix.change.git import run_git
from autofix.errors import GitError
from autofix.models import Denial, FileChange, GateResult, Model

REGULAR = "100644"
EXECUTABLE = "100755"
SYMLINK = "120000"
SUBMODULE = "160000"
ABSENT = "000000"
_PATCH_CAP = 200_000
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HIDDEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffd]")

# compared in lower case, because checkouts on some systems ignore case
_PROTECTED_FOLDERS = {
    "ci": {".circleci", ".buildkite", ".gitlab", ".forgejo", ".gitea", ".woodpecker"},
    "hooks": {".husky", ".githooks", ".lefthook"},
    "agent configuration": {".opencode", ".claude", ".cursor", ".codex", ".gemini", ".windsurf"},
}
_PROTECTED_FILES = {
    "ci": {"jenkinsfile", ".gitlab-ci.yml", ".travis.yml", "azure-pipelines.yml"},
    "owners": {"codeowners"},
    "hooks": {".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml"},
    "package-manager configuration": {
        ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "pip.conf", ".pypirc", "uv.toml",
    },
    "agent configuration": {
        "agents.md", "claude.md", "gemini.md", "opencode.json", "opencode.jsonc", ".mcp.json",
        ".cursorrules", ".windsurfrules", "copilot-instructions.md",
    },
}  # fmt: skip


class GateOptions(Model):
    """What a change may touch, and how big it may be."""

    roots: tuple[str, ...] = ("",)
    """Folders it may touch; an empty one means the whole repository."""
    max_files: int = 20
    max_lines: int = 800
    """Added and removed lines together."""
    max_commits: int = 50
    max_file_bytes: int = 1_000_000


class _Change(NamedTuple):
    """One file of one commit, as ``git diff-tree --raw`` tells it."""

    old_mode: str
    new_mode: str
    old_blob: str
    blob: str
    status: str
    path: str


def judge(repository: Path, base: str, head: str, options: GateOptions) -> GateResult:
    """The verdict on ``base..head`` in a bare repository, with every reason there is.

    Args:
        repository: a bare repository that holds both commits.
        base: full hash the work began at.
        head: full hash of what would be published.
        options: what is allowed.
    """
    try:
        return _judge(repository, base, head, options)
    except GitError as error:
        reason = f"The commits could not be inspected: {error}."
        return GateResult(base=base, head=head, denials=(_denial("error", "", reason),))


def _judge(repository: Path, base: str, head: str, options: GateOptions) -> GateResult:
    for commit in (base, head):
        if not _COMMIT.fullmatch(commit):
            raise GitError(f"'{commit[:80]}' is not a full commit hash")
        run_git("cat-file", "-e", f"{commit}^{{commit}}", cwd=repository)
    if not _descends(repository, base, head):
        reason = "The newest commit does not descend from the commit the work began at."
        return GateResult(base=base, head=head, denials=(_denial("history", "", reason),))
    commits = _commits(repository, base, head)
    files = _files(repository, base, head)
    denials = [*_judge_history(commits, options), *_judge_size(files, options)]
    for commit, *parents in commits[: options.max_commits]:
        if len(parents) == 1:
            for change in _changes(repository, parents[0], commit):
                denials += _judge_change(repository, change, options)
    return GateResult(
        base=base,
        head=head,
        denials=tuple(dict.fromkeys(denials)),
        files=files,
        patch=_patch(repository, base, head),
    )


def _judge_history(commits: Sequence[Sequence[str]], options: GateOptions) -> Iterator[Denial]:
    if not commits:
        yield _denial("history", "", "There is no commit to publish.")
    if len(commits) > options.max_commits:
        yield _denial("size", "", f"{len(commits)} commits are more than {options.max_commits}.")
    for commit, *parents in commits:
        if len(parents) != 1:
            reason = f"Commit {commit[:12]} has {len(parents)} parents, not one."
            yield _denial("history", "", reason)


def _judge_size(files: Sequence[FileChange], options: GateOptions) -> Iterator[Denial]:
    lines = sum(file.added + file.removed for file in files)
    if not files:
        yield _denial("size", "", "The commits change nothing.")
    if len(files) > options.max_files:
        reason = f"{len(files)} changed files are more than {options.max_files}."
        yield _denial("size", "", reason)
    if lines > options.max_lines:
        reason = f"{lines} added and removed lines are more than {options.max_lines}."
        yield _denial("size", "", reason)


def _judge_change(repository: Path, change: _Change, options: GateOptions) -> Iterator[Denial]:
    yield from _judge_path(change.path, options)
    mode = _judge_mode(change)
    if mode is not None:
        yield mode
    elif change.new_mode != ABSENT:
        yield from _judge_content(repository, change, options)


def _judge_path(path: str, options: GateOptions) -> Iterator[Denial]:
    if _HIDDEN.search(path) or "\\" in path:
        yield _denial("path", path, "The path holds characters that hide or mislead.")
    if not any(_is_below(path, root) for root in options.roots):
        roots = ", ".join(root or "." for root in options.roots)
        yield _denial("root", path, f"The file lies outside the allowed folders: {roots}.")
    kind = _protected_kind(path)
    if kind is not None:
        yield _denial("protected", path, f"The file belongs to what a fix never touches: {kind}.")


def _judge_mode(change: _Change) -> Denial | None:
    modes = {change.old_mode, change.new_mode}
    if SYMLINK in modes:
        return _denial("mode", change.path, "Symbolic links are not published.")
    if SUBMODULE in modes:
        return _denial("mode", change.path, "Submodules are not published.")
    if change.old_mode == ABSENT and change.new_mode != REGULAR:
        return _denial("mode", change.path, "A new file has to be regular and not executable.")
    if ABSENT not in modes and change.old_mode != change.new_mode:
        reason = f"The file's mode changes from {change.old_mode} to {change.new_mode}."
        return _denial("mode", change.path, reason)
    if not modes <= {REGULAR, EXECUTABLE, ABSENT}:
        return _denial("mode", change.path, "The file is of an unknown kind.")
    return None


def _judge_content(repository: Path, change: _Change, options: GateOptions) -> Iterator[Denial]:
    size = int(run_git("cat-file", "-s", change.blob, cwd=repository))
    if size > options.max_file_bytes:
        reason = f"The file has {size} bytes, more than {options.max_file_bytes}."
        yield _denial("size", change.path, reason)
        return
    content = run_git("cat-file", "blob", change.blob, cwd=repository)
    if b"\0" in content or not _is_text(content):
        yield _denial("binary", change.path, "The file is not UTF-8 text.")


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_below(path: str, root: str) -> bool:
    root = root.strip("/")
    return root in {"", "."} or path.startswith(f"{root}/")


def _protected_kind(path: str) -> str | None:
    *folders, name = PurePosixPath(path.lower()).parts
    if any(part.startswith(".git") for part in (*folders, name)):
        return "git and forge configuration"
    for kind, names in _PROTECTED_FOLDERS.items():
        if names.intersection(folders):
            return kind
    return next((kind for kind, names in _PROTECTED_FILES.items() if name in names), None)


def _descends(repository: Path, base: str, head: str) -> bool:
    return run_git("merge-base", "--all", base, head, cwd=repository).decode().split() == [base]


def _commits(repository: Path, base: str, head: str) -> list[list[str]]:
    out = run_git("rev-list", "--reverse", "--parents", f"{base}..{head}", cwd=repository)
    return [line.split() for line in out.decode().splitlines()]


def _changes(repository: Path, parent: str, commit: str) -> list[_Change]:
    out = run_git(
        "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", parent, commit,
        cwd=repository,
    )  # fmt: skip
    fields = iter(out.decode(errors="replace").split("\0")[:-1])
    return [_parse_change(head, path) for head, path in zip(fields, fields, strict=True)]


def _parse_change(head: str, path: str) -> _Change:
    old_mode, new_mode, old_blob, blob, status = head.removeprefix(":").split(" ")
    return _Change(old_mode, new_mode, old_blob, blob, status, path)


def _files(repository: Path, base: str, head: str) -> tuple[FileChange, ...]:
    out = run_git(
        "diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv",
        base, head, cwd=repository,
    )  # fmt: skip
    rows = (row.split("\t", 2) for row in out.decode(errors="replace").split("\0")[:-1])
    counted = {path: (added, removed) for added, removed, path in rows}
    return tuple(
        _file_change(repository, change, *counted.get(change.path, ("-", "-")))
        for change in _changes(repository, base, head)
    )


def _file_change(repository: Path, change: _Change, added: str, removed: str) -> FileChange:
    """With the line counts git gives, or all lines where it calls the file binary."""
    if "-" in {added, removed}:
        added = str(_lines(repository, change.new_mode, change.blob))
        removed = str(_lines(repository, change.old_mode, change.old_blob))
    return FileChange(
        path=change.path, status=change.status, added=int(added), removed=int(removed)
    )


def _lines(repository: Path, mode: str, blob: str) -> int:
    if mode in {ABSENT, SUBMODULE}:
        return 0
    return len(run_git("cat-file", "blob", blob, cwd=repository).splitlines())


def _patch(repository: Path, base: str, head: str) -> str:
    out = run_git(
        "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", base, head,
        cwd=repository,
    )  # fmt: skip
    text = out.decode(errors="replace")
    return text if len(text) <= _PATCH_CAP else f"{text[:_PATCH_CAP]}\n[cut]\n"


def _denial(rule: str, path: str, reason: str) -> Denial:
    return Denial(rule=rule, path=path, reason=reason)
