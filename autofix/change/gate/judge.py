"""Runs the rules over every commit of a range, and over the range as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from autofix.change.gate import (
    builds,
    contents,
    dependencies,
    history,
    paths,
    secrets,
    weakening,
)
from autofix.change.gate.edits import ABSENT, Edit, denial, read_edits
from autofix.change.gate.objects import COMMIT_ID, Change, Objects, open_objects
from autofix.change.gate.options import GateOptions
from autofix.change.gate.protected import is_lock_file
from autofix.errors import GitError
from autofix.models import Denial, FileChange, GateResult

_PATCH_CAP = 200_000
_LOCK_FILE_BYTES = 10_000_000
_MOST_DENIALS = 50
_MOST_CHANGES = 2_000
"""Files of one commit that are looked at, whatever the options allow."""

_READ_CHANGES = 200
"""Files of one commit whose contents are judged too."""

Rule = Callable[[Sequence[Edit], GateOptions], Iterator[Denial]]
_RULES: tuple[Rule, ...] = (
    paths.judge_paths,
    contents.judge_contents,
    secrets.judge_secrets,
    weakening.judge_tests,
    dependencies.judge_dependencies,
    builds.judge_builds,
)


def judge(repository: Path, base: str, head: str, options: GateOptions) -> GateResult:
    """The verdict on ``base..head``, with every reason there is.

    Args:
        repository: a repository that holds both commits; only its objects are looked at.
        base: full hash the work began at.
        head: full hash of what would be published.
        options: what is allowed.
    """
    try:
        return _judge(repository, base, head, options)
    except GitError as error:
        reason = f"The commits could not be inspected: {error}."
    except Exception as error:  # noqa: BLE001 - whatever cannot be judged is not published
        reason = f"The commits could not be judged: {type(error).__name__}."
    return GateResult(base=base, head=head, denials=(denial("error", "", reason),))


def _judge(repository: Path, base: str, head: str, options: GateOptions) -> GateResult:
    for commit in (base, head):
        if not COMMIT_ID.fullmatch(commit):
            raise GitError(f"'{commit[:80]}' is not a full commit hash")
    with open_objects(repository, base) as objects:
        for stored in objects.describe([base, head]):
            if stored.kind != "commit":
                raise GitError(f"{stored.id[:12]} is a {stored.kind}, not a commit")
        if not objects.descends(base, head):
            reason = "The newest commit does not descend from the commit the work began at."
            return _result(base, head, [denial("history", "", reason)])
        return _judge_range(objects, base, head, options)


def _judge_range(objects: Objects, base: str, head: str, options: GateOptions) -> GateResult:
    ids = objects.list_commits(base, head, options.max_commits + 1)
    if len(ids) > options.max_commits:
        reason = f"There are more than {options.max_commits} commits."
        return _result(base, head, [denial("size", "", reason)])
    if not ids:
        reason = "There is no commit to publish."
        return _result(base, head, [denial("history", "", reason)])
    malformed = list(history.judge_objects(objects, objects.list_range(base, head)))
    if malformed:
        return _result(base, head, malformed)
    commits = history.read_commits(objects, ids)
    denials = list(history.judge_history(commits, base))
    denials += secrets.judge_messages(commits, options)
    until = time.monotonic() + options.max_seconds
    for commit in commits:
        if len(commit.parents) == 1 and len(denials) <= _MOST_DENIALS:
            denials += _judge_commit(objects, commit.parents[0], commit.id, options, until)
    changes = objects.changes(base, head)
    if len(changes) > _MOST_CHANGES:
        return _result(base, head, [*denials, _too_many(changes, options)])
    edits = _read(objects, changes, options)
    files = _files(objects, base, head, changes)
    denials += [*_judge_size(files, options), *weakening.judge_tests(edits, options)]
    notes = tuple(weakening.note_tests(edits))
    unread = any(edit.is_unread for edit in edits)
    patch = "" if unread else _patch(objects, base, head)
    return _result(base, head, denials, files, patch, notes)


def _judge_commit(
    objects: Objects, parent: str, commit: str, options: GateOptions, until: float
) -> Iterator[Denial]:
    changes = objects.changes(parent, commit)
    if not changes:
        yield denial("history", "", f"Commit {commit[:12]} changes nothing.")
        return
    if len(changes) > _MOST_CHANGES:
        yield _too_many(changes, options)
        return
    if any(change.old_mode == ABSENT for change in changes):
        yield from paths.judge_collisions(changes, objects.paths(commit))
    if len(changes) > max(_READ_CHANGES, options.max_files):
        yield _too_many(changes, options)
        yield from paths.judge_paths(read_edits(objects, changes, max_bytes=0), options)
        return
    edits = _read(objects, changes, options)
    for rule in _RULES:
        if time.monotonic() > until:
            raise GitError(f"it took longer than {options.max_seconds:g} s")
        yield from rule(edits, options)


def _read(objects: Objects, changes: Sequence[Change], options: GateOptions) -> list[Edit]:
    locks = [change for change in changes if is_lock_file(change.path)]
    others = [change for change in changes if not is_lock_file(change.path)]
    return [
        *read_edits(objects, others, options.max_file_bytes),
        *read_edits(objects, locks, max(options.max_file_bytes, _LOCK_FILE_BYTES)),
    ]


def _judge_size(files: Sequence[FileChange], options: GateOptions) -> Iterator[Denial]:
    lines = locked = 0
    for file in files:
        if is_lock_file(file.path):
            locked += file.added + file.removed
        else:
            lines += file.added + file.removed
    if not files:
        yield denial("size", "", "The commits change nothing.")
    if len(files) > options.max_files:
        yield _too_many(files, options)
    if lines > options.max_lines:
        reason = f"{lines} added and removed lines are more than {options.max_lines}."
        yield denial("size", "", reason)
    if locked > options.max_lock_lines:
        reason = f"{locked} lines of lock files are more than {options.max_lock_lines}."
        yield denial("size", "", reason)


def _too_many(files: Sequence[object], options: GateOptions) -> Denial:
    return denial("size", "", f"{len(files)} changed files are more than {options.max_files}.")


def _files(
    objects: Objects, base: str, head: str, changes: Sequence[Change]
) -> tuple[FileChange, ...]:
    """With line counts, also of what git would call binary."""
    out = objects.git("diff-tree", "-r", "-z", "--numstat", "--text", "--no-renames", base, head)
    rows = (row.split(b"\t", 2) for row in out.split(b"\0")[:-1])
    counted = {
        path.decode(errors="surrogateescape"): (int(added), int(removed))
        for added, removed, path in rows
        if added != b"-"
    }
    return tuple(_file(change, *counted.get(change.path, (0, 0))) for change in changes)


def _file(change: Change, added: int, removed: int) -> FileChange:
    path = change.path.encode(errors="surrogateescape").decode(errors="replace")
    return FileChange(path=path, status=change.status, added=added, removed=removed)


def _patch(objects: Objects, base: str, head: str) -> str:
    out = objects.git("diff-tree", "-r", "-p", "--no-color", "--find-renames", base, head)
    text = out.decode(errors="replace")
    return text if len(text) <= _PATCH_CAP else f"{text[:_PATCH_CAP]}\n[cut]\n"


def _result(
    base: str,
    head: str,
    denials: Sequence[Denial],
    files: tuple[FileChange, ...] = (),
    patch: str = "",
    notes: tuple[str, ...] = (),
) -> GateResult:
    told = tuple(dict.fromkeys(denials))
    if len(told) > _MOST_DENIALS:
        reason = f"{len(told) - _MOST_DENIALS} more reasons are left out."
        told = (*told[:_MOST_DENIALS], denial("more", "", reason))
    return GateResult(base=base, head=head, denials=told, files=files, patch=patch, notes=notes)
