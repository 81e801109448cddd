"""How a name and a value are joined, and whether that makes the one the other's."""

from __future__ import annotations

from typing import Any

from autofix.redact.keys import Grade, Key
from autofix.redact.reading import QUOTE, Value, line_end, read_values
from autofix.redact.spans import has_any, rx
from autofix.redact.values import looks_chosen, looks_likely, looks_random, reads_as_name

_BLANKS = b" \t\n\x02"
ENV, ELEMENT = b"env", b"element"
_LOOSE = {b",", b"|", b"[", b"->", "→".encode()}
"""What may join a name and a value, and mostly does not."""
MAYBE = Key("password", Grade.likely)
_PAIR_BEGINS = rx(r"[(\[{][ ]?[ub]?\\*[\"'`]?\z")
_PAIR_ENDS = rx(rf"{QUOTE}(?:>>)?[)\]}}]")
_AFTER_NAME = rx(r"[,)\]}?]|[ ]*(?:\n|\z|=|\||if\b|or\b|and\b|else\b)")
PART = rx(rf"[\[(]?[bru]?(?:<<)?{QUOTE}")
_DRAWN = rx(r"[A-Za-z0-9+/=_\-]{16}")
QUOTED = rx(QUOTE)
_SETTER = rx(r"(?i)(?:[\w.$\-]*\.)?(?:set|with|update|change)_?[a-z]|\.?password\z")


def joins(data: bytes, match: Any, key: Key) -> bool:
    """Whether what stands between name and value makes the one the other's."""
    closers, form = match[2], match[3].strip(_BLANKS)
    end = match.end(3)
    if form == b":" and (data[end : end + 1] == b":" or data[end : end + 2] == b"//"):
        return False
    if form == b":" and key == MAYBE and not closers.strip():
        return False  # a test that passed
    if form == b">":
        return _is_tag(data, match)
    if form == b",":
        opened = data[match.start() - 1 : match.start()] == b"{"
        named = opened or QUOTED.search(closers) is not None
        if named and PART.match(data, match.end()) is not None:
            return True
        return _DRAWN.match(data, end) is not None
    if form == b"(":
        return _SETTER.match(match[1]) is not None and PART.match(data, end) is not None
    return form != b"|" or key.grade <= Grade.likely


def read_form(data: bytes, match: Any) -> bytes:
    """How name and value are joined; `ENV` for a line of an environment, `ELEMENT` over a line."""
    form: bytes = match[3].strip(_BLANKS)
    if form == b"=" and match[1].isupper() and not match[2] and match.end(3) == match.end():
        return ENV
    if form == b">" and match[3] != form:
        return ELEMENT
    before = data[max(0, match.start() - 6) : match.start()]
    if form == b"," and _PAIR_BEGINS.search(before) is not None:
        value = next(iter(read_values(data, match.end())), None)
        if value is not None and _PAIR_ENDS.match(data, value.end):
            return b"=" if not reads_as_name(data[value.start : value.end]) else form
    return form


def fits(data: bytes, key: Key, value: Value, form: bytes) -> bool:
    """Whether a value that is joined in this form looks like one at all."""
    text = data[value.start : value.end]
    if form in _LOOSE and not _passes(key, text):
        return False
    if form == ELEMENT:
        return _closes(data, value.end)
    if form == b">":
        return looks_random(text) or _closes(data, value.end)
    if form == b",":
        return value.quoted or looks_random(text)
    variable = not value.quoted and _is_variable(data, value, form)
    return not variable and not _is_prose(data, value, form)


def _is_tag(data: bytes, match: Any) -> bool:
    """``<password>x</password>``, ``<ns:password>``, ``key="password">``."""
    start, closers = match.start(), match[2]
    if QUOTED.match(closers):
        return not has_any(match[3], b"\n", b"\x02")
    before = data[max(0, start - 20) : start]
    opened = before.rfind(b"<")
    if opened < 0 or before[opened + 1 : opened + 2] == b"/":
        return False
    return before.endswith((b"<", b":")) and b" " not in before[opened:]


def _closes(data: bytes, at: int) -> bool:
    """Whether an element ends here."""
    return data[at : at + 40].lstrip(b" \t\n\x02")[:1] == b"<"


def _passes(key: Key, text: bytes) -> bool:
    """Whether a value that is only loosely joined looks like what the name says."""
    return looks_likely(text) or (key.kind == "password" and looks_chosen(text))


def _is_variable(data: bytes, value: Value, form: bytes) -> bool:
    """``page_token=next_page``, ``token: SecretStr = …``: code, with a name on the right."""
    if form not in {b"=", b":=", b":"} or not reads_as_name(data[value.start : value.end]):
        return False
    return _AFTER_NAME.match(data, value.end) is not None


def _is_prose(data: bytes, value: Value, form: bytes) -> bool:
    """``password: something went wrong``: a word behind a colon with more words behind it."""
    text = data[value.start : value.end]
    if (
        form != b":"
        or value.quoted
        or not text.isalpha()
        or data[value.start - 1 : value.start] != b" "
    ):
        return False
    rest = data[value.end : min(line_end(data, value.end), value.end + 40)]
    words = rest.split()
    return rest[:1] == b" " and bool(words) and words[0].rstrip(b".,!").isalpha()
