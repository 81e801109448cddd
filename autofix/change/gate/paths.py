"""Names that mislead, folders that are allowed, files that are protected."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from autofix.change.gate.edits import ABSENT, Edit, denial, listed
from autofix.change.gate.objects import Change
from autofix.change.gate.options import GateOptions
from autofix.change.gate.protected import protected_kind
from autofix.change.gate.unicode import find_hidden, find_look_alikes, to_latin
from autofix.models import Denial

_DEPTH = 40
_PART_BYTES = 200
_PATH_BYTES = 1_000
_FORBIDDEN = re.compile(r'[\\:*?"<>|\n\t\x0b\x0c]')
"""A separator, a stream or no name at all on some system, or a line break."""
_SHORT_NAME = re.compile(r"(?i)(?:git|github|gi[0-9a-f]{4,6})~\d")
_DEVICE = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:\..*)?")


def judge_paths(edits: Sequence[Edit], options: GateOptions) -> Iterator[Denial]:
    """Every touched path, whatever happens to it."""
    for edit in edits:
        yield from _judge_path(edit.path, options)


def _judge_path(path: str, options: GateOptions) -> Iterator[Denial]:
    problem = _name_problem(path)
    if problem:
        yield denial("path", path, f"The path {problem}.")
    if not is_allowed(path, options):
        roots = listed(root or "." for root in (*options.roots, *options.patterns))
        yield denial("root", path, f"The file lies outside the allowed folders: {roots}.")
    kind = protected_kind(path)
    if kind is not None:
        yield denial("protected", path, f"The file belongs to what a fix never touches: {kind}.")


def _name_problem(path: str) -> str | None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    if find_hidden(path) or _FORBIDDEN.search(path):
        return "holds characters that hide or mislead"
    if any(find_look_alikes(path, frozenset())):
        return "mixes letters of two alphabets that look the same"
    parts = path.split("/")
    if len(parts) > _DEPTH or len(encoded) > _PATH_BYTES:
        return "is longer than every system can take"
    return next((problem for part in parts if (problem := _part_problem(part))), None)


def _part_problem(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "leaves its folder"
    if part != part.strip() or part.endswith("."):
        return "begins or ends with a blank or a dot, which some systems drop"
    if _SHORT_NAME.fullmatch(part) or _DEVICE.fullmatch(part):
        return "means something else on some systems"
    if part.startswith("-"):
        return "could be taken for an option"
    if len(part.encode()) > _PART_BYTES:
        return "is longer than every system can take"
    return None


def judge_collisions(changes: Sequence[Change], paths: Sequence[str]) -> Iterator[Denial]:
    """New names that some systems take for a name that is there.

    Args:
        changes: of one commit.
        paths: every file and folder of that commit.
    """
    spellings = defaultdict(set)
    for path in paths:
        spellings[_fold(path)].add(path)
    for change in changes:
        if change.old_mode != ABSENT:
            continue
        for path in (change.path, *map(str, PurePosixPath(change.path).parents)):
            others = spellings[_fold(path)] - {path}
            if others:
                reason = f"Some systems cannot tell it from {listed(sorted(others))}."
                yield denial("collision", change.path, reason)
                break


def is_allowed(path: str, options: GateOptions) -> bool:
    """Whether the path lies in an allowed folder or matches a watch pattern."""
    return any(_is_below(path, root) for root in options.roots) or matches(path, options.patterns)


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether patterns as in a .gitignore select this path; the last one that matches counts."""
    selected = False
    for pattern in patterns:
        chosen = not pattern.startswith("!")
        if _translate(pattern.removeprefix("!")).fullmatch(path):
            selected = chosen
    return selected


def _translate(pattern: str) -> re.Pattern[str]:
    body = pattern.strip().removeprefix("./").rstrip("/")
    anchored = "/" in body
    body = body.strip("/")
    if not body:
        return re.compile(r"(?!)")
    pieces = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", body)
    known = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(known.get(piece) or re.escape(piece) for piece in pieces)
    return re.compile(f"{'' if anchored else '(?:.*/)?'}{text}(?:/.*)?", re.DOTALL)


def _is_below(path: str, root: str) -> bool:
    root = root.removeprefix("./").strip("/")
    return root in {"", "."} or path.startswith(f"{root}/")


def _fold(path: str) -> str:
    readable = path.encode(errors="replace").decode()
    return to_latin(unicodedata.normalize("NFKC", readable)).casefold()
