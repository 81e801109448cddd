"""Reads the value that stands behind a name: where it begins, and where it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from autofix.redact.spans import one_of, rx

QUOTE = r"""(?:\\*["'`]|%22|%27|&quot;|&#3[49];|&apos;|\\u002[27])"""

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
_SPECIAL = rx(one_of(_OPENING, _LISTING, _BLOCKS, rf"\{{[ \t]*{QUOTE}|\[[ \t]*\{{"))
"""Whatever is not a bare word; an object is nothing to read."""
_RUN = rx(r"""[^\s\x02"'`<]+""")
_WORD_BEGINS = rx(r"[A-Za-z0-9_$!#%^*]")
_NEXT_PAIR = (
    r"[,;&|][ ]?[A-Za-z_$][\w.$\-]{0,60}(?:\[[\w.\-]{0,60}\])?(?:=|:|%3[dD])"  # a=1,b=2
    r"|[,;]\\*[\"']"
)
_CUT = rx(rf"{_NEXT_PAIR}|[,;&|]$|\\+u[0-9a-f]{{4}}|%26|&amp;|%2[cC]%22|\\*$")
_CUT_URL = rx(r"[&#;]|%26|&amp;|\\+u|[,)\]]+$")
_CLOSERS = rx(r"[)\]}]+(?:[.,;:|&]|$)")
_TAIL = rx(r"[,;.:]+\z")
_ITEM = rx(rf"[bruf]?({QUOTE})|[^\s\x02,\"'`\[\](){{}}]+")


class Value(NamedTuple):
    """Where a value stands."""

    start: int
    end: int
    quoted: bool


def read_values(data: bytes, at: int, *, in_url: bool = False) -> Iterator[Value]:
    """The value that begins here; each of them when it is a list."""
    if _SPECIAL.match(data, at) is None:
        value = _read_bare(data, at, _CUT_URL if in_url else _CUT)
        if value is not None:
            yield value
    elif (block := _BLOCK.match(data, at)) is not None:
        yield from _read_block(data, block)
    elif (opened := _OPEN.match(data, at)) is not None:
        yield _read_quoted(data, opened)
    elif _FORMAT.match(data, at) is None and _LIST.match(data, at) is not None:
        yield from _read_list(data, at)


def line_end(data: bytes, at: int) -> int:
    """Where the line ends."""
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end


def _read_quoted(data: bytes, opened: Any) -> Value:
    start, quote = opened.end(), opened[1]
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


def _read_bare(data: bytes, at: int, cut: Any) -> Value | None:
    run = _RUN.match(data, at)
    if run is None:
        return None
    end = run.end()
    # a quote with a letter behind it closes nothing
    while data[end : end + 1] in b"\"'`" and _WORD_BEGINS.match(data, end + 1):
        more = _RUN.match(data, end + 1)
        end = more.end()
    text = data[at:end]
    if text.isalnum():
        return Value(at, end, quoted=False)
    found = cut.search(text)
    text = text[: found.start()] if found else text
    text = _before_closer(text)
    tail = _TAIL.search(text)
    end = at + (tail.start() if tail else len(text))
    return Value(at, end, quoted=False) if end > at else None


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
            value = _read_quoted(data, item)
            yield value
            at = value.end + len(item[1])
        else:
            yield Value(item.start(), item.end(), quoted=False)
            at = item.end()


def _read_block(data: bytes, block: Any) -> Iterator[Value]:
    """Each line of a YAML block: those that are indented as its first one."""
    indent = block[1]
    at = block.start(2)
    for _ in range(_BLOCK_LINES):
        stop = line_end(data, at)
        yield Value(at, stop, quoted=True)
        at = stop + 1 + len(indent)
        if stop >= len(data) or data[stop + 1 : at] != indent or at >= line_end(data, at):
            return
