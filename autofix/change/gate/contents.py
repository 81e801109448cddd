"""Kinds, modes, sizes and text: what is published can be read by people, as it is."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from autofix.change.gate.edits import (
    ABSENT,
    EXECUTABLE,
    REGULAR,
    SUBMODULE,
    SYMLINK,
    Edit,
    denial,
    listed,
)
from autofix.change.gate.options import GateOptions
from autofix.change.gate.protected import is_lock_file
from autofix.change.gate.unicode import find_hidden, find_look_alikes
from autofix.models import Denial

PROSE = {".md", ".markdown", ".rst", ".txt", ".adoc", ".po", ".pot", ".csv", ".tsv", ".srt"}
_POINTER = "version https://git-lfs.github.com/spec/"
_CODING = re.compile(
    r"""^[ \t\f]*(?:\#|//|/\*|<\?xml).*?(?:coding[:=]|encoding\s*=)\s*["']?([-\w.]+)"""
)
_PLAIN_CODINGS = {"utf-8", "utf8", "utf-8-sig", "utf8-unix", "utf-8-unix", "ascii", "us-ascii"}
_NAME = re.compile(r"[A-Za-z_]\w+", re.ASCII)
_WORDS = frozenset((*keyword.kwlist, *dir(builtins), "require", "process", "window", "document"))
"""Names that mean something in any file."""


def judge_contents(edits: Sequence[Edit], options: GateOptions) -> Iterator[Denial]:
    """Mode, size and text of every file that is there afterwards."""
    moved = {edit.change.old_blob for edit in edits if _is_moved_script(edit)}
    for edit in edits:
        problem = _mode_problem(edit, moved)
        if problem:
            yield denial("mode", edit.path, problem)
        elif not edit.is_deleted:
            yield from _judge_text(edit, options)


def _is_moved_script(edit: Edit) -> bool:
    return edit.is_deleted and edit.change.old_mode == EXECUTABLE


def _mode_problem(edit: Edit, moved: set[str]) -> str | None:
    old, new = edit.change.old_mode, edit.change.mode
    if SYMLINK in {old, new}:
        return "Symbolic links are not published."
    if SUBMODULE in {old, new}:
        return "Submodules are not published."
    if not {old, new} <= {REGULAR, EXECUTABLE, ABSENT}:
        return "The file is of an unknown kind."
    if old == ABSENT and new == EXECUTABLE and edit.change.blob not in moved:
        return "A new file has to be regular and not executable."
    if ABSENT not in {old, new} and old != new:
        return f"The file's mode changes from {old} to {new}."
    return None


def _judge_text(edit: Edit, options: GateOptions) -> Iterator[Denial]:
    if edit.new_bytes is None:
        reason = f"The file has more than {options.max_file_bytes} bytes."
        yield denial("size", edit.path, reason)
        return
    if edit.new is None:
        yield denial("binary", edit.path, "The file is not UTF-8 text.")
        return
    if edit.new.startswith(_POINTER):
        yield denial("binary", edit.path, "The file stands for content that is stored elsewhere.")
    yield from _judge_characters(edit)
    if not is_lock_file(edit.path):
        yield from _judge_lines(edit, options)


def _judge_characters(edit: Edit) -> Iterator[Denial]:
    added = "\n".join(edit.added)
    starts = bool(edit.added) and (edit.new or "").startswith(edit.added[0])
    hidden = find_hidden(added, is_file_start=starts)
    if hidden:
        reason = f"An added line holds a character that hides or misleads ({hidden})."
        yield denial("hidden-character", edit.path, reason)
    coding = _coding(edit.new_lines[:2])
    if coding and coding != _coding(edit.old_lines[:2]):
        yield denial("encoding", edit.path, f"The file says that it is to be read as {coding}.")
    if PurePosixPath(edit.path).suffix.lower() in PROSE:
        return
    known = _WORDS | frozenset(_NAME.findall(f"{edit.old}\n{edit.new}"))
    alike = list(find_look_alikes(added, known))
    if alike:
        reason = f"Letters of another alphabet pass for Latin ones in {listed(alike, 3)}."
        yield denial("look-alike", edit.path, reason)


def _judge_lines(edit: Edit, options: GateOptions) -> Iterator[Denial]:
    longest = max((len(line) for line in edit.added), default=0)
    if longest > options.max_line_chars:
        reason = (
            f"An added line has {longest} characters, more than {options.max_line_chars}: "
            "nobody can review it."
        )
        yield denial("size", edit.path, reason)


def _coding(lines: Sequence[str]) -> str | None:
    for line in lines:
        found = _CODING.match(line[:400])
        if found and found[1].lower().replace("_", "-") not in _PLAIN_CODINGS:
            return found[1][:40]
    return None
