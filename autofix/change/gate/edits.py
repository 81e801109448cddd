"""One commit (or a whole range) as changed files with their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from autofix.change.gate.objects import Change, Objects
from autofix.models import Denial

REGULAR = "100644"
EXECUTABLE = "100755"
SYMLINK = "120000"
SUBMODULE = "160000"
ABSENT = "000000"
_FILES = {REGULAR, EXECUTABLE}


class Edit:
    """One changed file, before and after. A side that is absent, unreadable or too big is None."""

    def __init__(self, change: Change, old: bytes | None, new: bytes | None) -> None:
        self.change = change
        self.path = change.path
        self.old_bytes = old
        self.new_bytes = new

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.path).name

    @property
    def is_deleted(self) -> bool:
        """Whether the file is gone afterwards."""
        return self.change.mode == ABSENT

    @property
    def is_new(self) -> bool:
        """Whether there was no such file before."""
        return self.change.old_mode == ABSENT

    @property
    def is_unread(self) -> bool:
        """Whether a file is there, on either side, that was too big to be read."""
        sides = ((self.change.old_mode, self.old_bytes), (self.change.mode, self.new_bytes))
        return any(mode in _FILES and content is None for mode, content in sides)

    @cached_property
    def old(self) -> str:
        """The text before; empty when there was none. Never fails: it was published long ago."""
        return (self.old_bytes or b"").decode(errors="replace")

    @cached_property
    def new(self) -> str | None:
        """The text after; None when there is none or it is not UTF-8 text."""
        if self.new_bytes is None or b"\0" in self.new_bytes:
            return None
        try:
            return self.new_bytes.decode()
        except UnicodeDecodeError:
            return None

    @cached_property
    def added(self) -> tuple[str, ...]:
        """Lines that the text has now and had not before, in their order.

        A line that only moved is not added. Line ends do not count, so a file that changes from
        CRLF to LF adds nothing.
        """
        before = Counter(self.old_lines)
        return tuple(line for line in self.new_lines if not _take(before, line))

    @cached_property
    def removed(self) -> tuple[str, ...]:
        """Lines that the text had before and has not now, in their order."""
        after = Counter(self.new_lines)
        return tuple(line for line in self.old_lines if not _take(after, line))

    @property
    def old_lines(self) -> list[str]:
        """Lines before, without their ends."""
        return split_lines(self.old)

    @property
    def new_lines(self) -> list[str]:
        """Lines after, without their ends."""
        return split_lines(self.new or "")


def split_lines(text: str) -> list[str]:
    """By line feeds only: other characters that end a line somewhere are judged, not obeyed."""
    return [line.removesuffix("\r") for line in text.split("\n")] if text else []


def read_edits(objects: Objects, changes: Sequence[Change], max_bytes: int) -> list[Edit]:
    """The changes with their contents, of which none bigger than `max_bytes` is read."""
    wanted = {
        blob
        for change in changes
        for mode, blob in ((change.old_mode, change.old_blob), (change.mode, change.blob))
        if mode in _FILES
    }
    small = [o.id for o in objects.describe(sorted(wanted)) if o.size <= max_bytes]
    contents = objects.read(small) if small else {}
    return [
        Edit(change, contents.get(change.old_blob), contents.get(change.blob)) for change in changes
    ]


def denial(rule: str, path: str, reason: str) -> Denial:
    """One reason why the commits may not be published; the path in readable characters."""
    shown = path.encode(errors="surrogateescape").decode(errors="replace")
    return Denial(rule=rule, path=shown, reason=reason)


def listed(names: Iterable[str], most: int = 5) -> str:
    """Names for a sentence, the first few of them."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def _take(counted: Counter[str], line: str) -> bool:
    if counted[line] > 0:
        counted[line] -= 1
        return True
    return False
