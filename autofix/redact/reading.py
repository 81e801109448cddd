"""Reads the value that stands behind a name: where it begins, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from autofix.redact.spans import Match, end_of, one_of, rx, simple

QUOTE = r"""(?:\\*["'`]|%22|%27|&quot;|&#3[49];|&apos;|\\u002[27])"""

QUOTES = (b'"', b"'", b"`")

_OPENING = rf"(?:[bruf]|rb|<<|string\([0-9]{{1,4}}\)[ ]|(?:[\w.]*Secret\w*|Some|Ok|String|str|bytes|Just)\()?({QUOTE})"
_LISTING = (
    rf"[\[(][ \t]*[bruf]?{QUOTE}"
    r"""|[\[({][ \t]*(?:[^\s\x02"'`\[\](){}]+(?:[, ]+[^\s\x02"'`\[\](){}]+){0,50}[ \t]*[\])}](?:[\s\x02,;.:"'`\])}\\]|\z))"""
)
_BLOCKS = r"[|>][+-]?[0-9]?[ \t]*\n([ \t]+)([^\n]+)"
_OPEN, _LIST, _BLOCK = rx(_OPENING), rx(_LISTING), rx(_BLOCKS)
_BLOCK_LINES = 40
_FORMAT = rx(r"\{[A-Za-z_][\w.]*(?:![rsa])?(?::[^}]*)?\}")
"""A field of a format string, whose braces hold a name and no value."""
_SPECIAL = rx(one_of(_OPENING, _LISTING, _BLOCKS, rf"\{{[ \t]*{QUOTE}|\[[ \t]*\{{"), groups=False)
"""Whatever is not a bare word; an object is nothing to read."""
_RUN = simple(r"""[^ \t\n\f\r\x02"'`<]+""")
_SPECIAL_BEGINS = b"[({|><%&\\bruf"
_WORD_BEGINS = simple(r"[A-Za-z0-9_$!#%^*]+")
_NEXT_PAIR = (
    r"[,;&|][ ]?[A-Za-z_$][\w.$\-]{0,60}(?:\[[\w.\-]{0,60}\])?(?:=|:|%3[dD])"  # a=1,b=2
    r"|[,;]\\*[\"']"
)
_CUT = rx(rf"{_NEXT_PAIR}|[,;&|]$|\\+u[0-9a-f]{{4}}|%26|&amp;|%2[cC]%22|\\*$")
_CUT_URL = rx(r"[&#;]|%26|&amp;|\\+u|[,)\]]+$")
_CLOSERS = rx(r"[)\]}]+(?:[.,;:|&]|$)")
_CUT_MARKS, _CUT_URL_MARKS = b",;&|\\%", b"&#;%\\,)]"
"""What `_CUT` and `_CUT_URL` cannot do without."""
_CLOSING = b")]}"
_TAIL = b",;.:"
_ITEM = rx(rf"[bruf]?({QUOTE})|[^\s\x02,\"'`\[\](){{}}]+")


class Value(NamedTuple):
    """Where a value stands."""

    start: int
    end: int
    quoted: bool


def read_values(data: bytes, at: int, *, in_url: bool = False) -> Iterable[Value]:
    """The value that begins here; each of them when it is a list."""
    first = data[at : at + 1]
    if first in QUOTES:
        return (_read_quoted(data, at + 1, first),)
    end = end_of(_RUN, data, at)
    if not _may_be_special(data, at, end) or _SPECIAL.end(data, at) < 0:
        return _read_bare(data, at, end, in_url=in_url)
    if (block := _BLOCK.match(data, at)) is not None:
        return _read_block(data, block)
    if (opened := _OPEN.match(data, at)) is not None:
        return (_read_quoted(data, opened.end(), opened[1]),)
    is_list = _FORMAT.end(data, at) < 0 and _LIST.end(data, at) >= 0
    return _read_list(data, at) if is_list else ()


def _may_be_special(data: bytes, at: int, end: int) -> bool:
    """Whether more than a bare word can begin with this run, by what every other form has."""
    if end == at:
        return data[at : at + 1] == b"<"
    return data[at] in _SPECIAL_BEGINS or data.find(b"(", at, end) >= 0


def line_end(data: bytes, at: int) -> int:
    """Where the line ends."""
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end


def _read_quoted(data: bytes, start: int, quote: bytes) -> Value:
    stop = line_end(data, start)
    end = data.find(quote, start, stop)
    while end > 0 and data[end - 1 : end] == b"\\" and _is_escaped(data, start, end):
        end = data.find(quote, end + 1, stop)
    return Value(start, stop if end < 0 else end, quoted=True)


def _is_escaped(data: bytes, start: int, at: int) -> bool:
    """Whether an odd number of backslashes stands before this place."""
    before = at
    while before > start and data[before - 1 : before] == b"\\":
        before -= 1
    return (at - before) % 2 == 1


def _read_bare(data: bytes, at: int, end: int, *, in_url: bool) -> tuple[Value, ...]:
    """A value without quotes, whose first run ends at `end`."""
    if end == at:
        return ()
    # a quote with a letter behind it closes nothing
    while data[end : end + 1] in QUOTES and _WORD_BEGINS.match(data, end + 1):
        end = end_of(_RUN, data, end + 1)
    text = data[at:end]
    if text.isalnum():
        return (Value(at, end, quoted=False),)
    cut, marks = (_CUT_URL, _CUT_URL_MARKS) if in_url else (_CUT, _CUT_MARKS)
    if _has_one_of(text, marks):
        found = cut.find(text)[0]
        text = text if found < 0 else text[:found]
    if _has_one_of(text, _CLOSING):
        text = _before_closer(text)
    end = at + len(text.rstrip(_TAIL))
    return (Value(at, end, quoted=False),) if end > at else ()


def _has_one_of(text: bytes, marks: bytes) -> bool:
    return len(text.translate(None, marks)) < len(text)


def _before_closer(text: bytes) -> bytes:
    """Up to the bracket that closes what was opened before the value."""
    for match in _CLOSERS.finditer(text):
        for place in range(match.start(), match.end()):
            pair = {b")": b"(", b"]": b"[", b"}": b"{"}.get(text[place : place + 1])
            if pair and text.count(pair, 0, place) <= text.count(text[place : place + 1], 0, place):
                return text[:place]
    return text


def _read_list(data: bytes, at: int) -> Iterator[Value]:
    """The items up to the bracket that closes; nothing is read of what is nested."""
    stop = line_end(data, at)
    at += 1
    while at < stop and data[at : at + 1] not in b"])}[({":
        item = _ITEM.match(data, at)
        if item is None:
            at += 1
        elif item[1]:
            value = _read_quoted(data, item.end(), item[1])
            yield value
            at = value.end + len(item[1])
        else:
            yield Value(item.start(), item.end(), quoted=False)
            at = item.end()


def _read_block(data: bytes, block: Match) -> Iterator[Value]:
    """Each line of a YAML block: those that are indented as its first one."""
    indent = block[1]
    at = block.start(2)
    for _ in range(_BLOCK_LINES):
        stop = line_end(data, at)
        yield Value(at, stop, quoted=True)
        at = stop + 1 + len(indent)
        if stop >= len(data) or data[stop + 1 : at] != indent or at >= line_end(data, at):
            return
