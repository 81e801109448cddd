"""What the rules have in common: patterns, and the places they point at.

Rules work on UTF-8 bytes, so that a place costs no counting of characters. Patterns are compiled
by re2: whatever a line holds, one look at it takes time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import re2

FILL = 1
"""The byte that stands for what is redacted already; cleaning leaves no such character in a text."""
FILLED = bytes((FILL,))
BREAK = 2
"""The byte that stands for a line break or a colour that is written out, as ``\\n`` in JSON."""
_TOKEN_ROOM = 4_096
"""Bytes by which a token is known; no line that rules look at has more characters."""
_ANCHOR = re2._re2.RE2.Anchor  # noqa: SLF001
_ANYWHERE, _HERE, _WHOLE = _ANCHOR.UNANCHORED, _ANCHOR.ANCHOR_START, _ANCHOR.ANCHOR_BOTH


class Span(NamedTuple):
    """A part of the text that has to go."""

    start: int
    end: int
    kind: str
    identity: bytes | None = None
    """What its tag is made of when that is not the part itself."""


Detector = Callable[[bytes], Iterable[Span]]
"""Finds what has to go in a text whose redacted parts are filled with `FILL`."""


class Match:
    """Where a pattern and its groups are in a text."""

    __slots__ = ("_data", "_spans")

    def __init__(self, data: bytes, spans: list[tuple[int, int]]) -> None:
        self._data = data
        self._spans = spans

    def __getitem__(self, group: int) -> bytes:
        """The text of a group; empty for one that took no part."""
        start, end = self._spans[group]
        return self._data[start:end] if end > 0 else b""

    def start(self, group: int = 0) -> int:
        """Where a group begins; -1 for one that took no part."""
        return self._spans[group][0]

    def end(self, group: int = 0) -> int:
        """Where a group ends; -1 for one that took no part."""
        return self._spans[group][1]

    def groups(self) -> list[bytes]:
        """The texts of all groups."""
        return [self._data[start:end] if end > 0 else b"" for start, end in self._spans[1:]]


class Pattern:
    """A pattern of re2, asked without re2's own face: that costs several times the look."""

    __slots__ = ("_look", "source")

    def __init__(self, pattern: bytes, *, groups: bool = True, longest: bool = False) -> None:
        options = re2.Options()
        options.log_errors = False  # a wrong pattern is an exception, not a line on stderr
        options.longest_match = longest
        options.never_capture = not groups  # to find them re2 looks a second time, and slowly
        self.source = pattern
        self._look = re2.compile(pattern, options)._regexp.Match  # noqa: SLF001

    def end(self, data: bytes, at: int = 0, stop: int | None = None) -> int:
        """Where a match that begins here ends; -1 without one."""
        found: int = self._look(_HERE, data, at, len(data) if stop is None else stop)[0][1]
        return found

    def match(self, data: bytes, at: int = 0, stop: int | None = None) -> Match | None:
        """The match that begins here."""
        spans = self._look(_HERE, data, at, len(data) if stop is None else stop)
        return Match(data, spans) if spans[0][0] >= 0 else None

    def search(self, data: bytes, at: int = 0, stop: int | None = None) -> Match | None:
        """The first match from here on."""
        spans = self._look(_ANYWHERE, data, at, len(data) if stop is None else stop)
        return Match(data, spans) if spans[0][0] >= 0 else None

    def find(self, data: bytes, at: int = 0) -> tuple[int, int]:
        """Where the first match from here on stands; -1 and -1 without one."""
        found: tuple[int, int] = self._look(_ANYWHERE, data, at, len(data))[0]
        return found

    def covers(self, value: bytes) -> bool:
        """Whether the pattern matches the whole value."""
        return bool(self._look(_WHOLE, value, 0, len(value))[0][1] >= 0)

    def finditer(self, data: bytes, at: int = 0, stop: int | None = None) -> Iterator[Match]:
        """Each match, from left to right."""
        look, stop = self._look, len(data) if stop is None else stop
        while True:
            spans = look(_ANYWHERE, data, at, stop)
            start, end = spans[0]
            if start < 0:
                return
            yield Match(data, spans)
            if at == stop:
                return
            at = end if end > at else at + 1

    def places(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where each match stands, from left to right."""
        look, at, stop = self._look, 0, len(data)
        while True:
            start, end = look(_ANYWHERE, data, at, stop)[0]
            if start < 0:
                return
            yield start, end
            if at == stop:
                return
            at = end if end > at else at + 1


def end_of(run: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where a run that begins here ends; here without one."""
    found = run.match(data, at)
    return found.end() if found else at


class RuleSet:
    """Patterns of which the first one that matches here is wanted: all are asked at once."""

    __slots__ = ("_patterns", "_set")

    def __init__(self, patterns: Iterable[str]) -> None:
        options = re2.Options()
        options.log_errors = False
        self._patterns = [rx(pattern) for pattern in patterns]
        self._set = re2.Set.MatchSet(options)
        for pattern in self._patterns:
            self._set.Add(rb"\C(?:" + pattern.source + b")")  # a set sees no character before
        self._set.Compile()

    def first(self, data: bytes, at: int) -> tuple[int, int]:
        """The first pattern that matches here, and where its match ends; -1 and -1 without one."""
        text = data[at - 1 : at + _TOKEN_ROOM] if at else b"\n" + data[:_TOKEN_ROOM]
        rules = self._set.Match(text)
        if not rules:
            return -1, -1
        rule = min(rules)
        return rule, self._patterns[rule].end(data, at)


def rx(pattern: str, *, groups: bool = True) -> Pattern:
    """The pattern, compiled for bytes by re2; without groups when nobody reads them."""
    return Pattern(pattern.encode(), groups=groups)


def simple(pattern: str) -> re.Pattern[bytes]:
    """A pattern for Python's own engine, whose call costs a third of re2's.

    Only for what cannot run away: no branch has more than one run, of one class of characters and
    with nothing behind it, so that no character is looked at twice. A test holds them all to it.
    """
    return re.compile(pattern.encode())


def one_of(*patterns: str) -> str:
    """A pattern that matches what any of these matches."""
    return f"(?:{'|'.join(patterns)})"


def has_any(text: bytes, *words: bytes) -> bool:
    """Whether one of the words is in the text: a cheap look before a pattern is asked.

    A line of an ordinary log is done by looks like this; a call of re2 costs a microsecond.
    """
    for word in words:  # not any(…): a generator costs more than the look  # noqa: SIM110
        if word in text:
            return True
    return False


def is_filled(value: bytes) -> bool:
    """Whether nothing is left of a value but what was redacted before."""
    return not value.strip(FILLED)
