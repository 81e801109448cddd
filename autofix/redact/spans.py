"""What the rules have in common: patterns, and the places they point at.

Rules work on UTF-8 bytes, so that a place costs no counting of characters. Patterns are compiled
by re2 alone: whatever a line holds, one look at it takes time in proportion to its length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import re2

FILL = 1
"""The byte that stands for what is redacted already; cleaning leaves no such character in a text."""
BREAK = 2
"""The byte that stands for a line break or a colour that is written out, as ``\\n`` in JSON."""


class Span(NamedTuple):
    """A part of the text that has to go."""

    start: int
    end: int
    kind: str
    identity: bytes | None = None
    """What its tag is made of when that is not the part itself."""


Detector = Callable[[bytes], Iterable[Span]]
"""Finds what has to go in a text whose redacted parts are filled with `FILL`."""


def rx(pattern: str) -> Any:
    """The pattern, compiled for bytes."""
    options = re2.Options()
    options.log_errors = False  # a wrong pattern is an exception, not a line on stderr
    return re2.compile(pattern.encode(), options)


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
    return not value.strip(bytes((FILL,)))
