"""What stands in the place of a redacted value: its kind and a short tag, ``«github-token:a1b2»``.

The tag is a keyed hash: equal values have equal tags in every task, process and run of one
installation, and without the key nobody can try values against it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from autofix.redact.spans import BREAK, FILLED, rx

MARKER = rx(r"«[a-z][a-z0-9-]{1,40}:[0-9a-f]{4}»")
_WRITTEN_OUT = rx(
    r"«[a-z][a-z0-9-]{1,40}:[0-9a-f]{4}»|\\+[nrt]|%0[aAdD]|\\+(?:u001[bB]|x1[bB]|033|e)\[[0-9;]{0,20}[A-Za-z]"
    r"|\\+u00(?:0[0-9a-dA-D]|85)|\\+u202[89]"
)
_ESCAPED = rx(r"%[0-9a-fA-F]{2}|\\+u[0-9a-fA-F]{4}|\\+x[0-9a-fA-F]{2}")
_BREAK, _BLANK = bytes((BREAK,)), b" "
_TAB = b"\\t"
_MARK = "«".encode()[0]
_TAG_BYTES = 2


def derive_key(parts: Iterable[str]) -> bytes:
    """A key that whoever knows the same parts derives again."""
    return sha256("\0".join(["redaction", *parts]).encode()).digest()


@lru_cache(maxsize=8)
def _pads(key: bytes) -> tuple[bytes, bytes]:
    """What HMAC puts before the value and before its hash; `hmac` works it out each time anew."""
    block = key.ljust(sha256().block_size, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def render_marker(key: bytes, kind: str, value: bytes) -> bytes:
    """The marker of a value; the kind is no part of what is hashed."""
    inner, outer = _pads(key)
    tag = sha256(outer + sha256(inner + value).digest()).digest()[:_TAG_BYTES].hex()
    return f"«{kind}:{tag}»".encode()


def part_escapes(data: bytes) -> tuple[bytes, list[int]]:
    """The text with `BREAK` over each escaped character, so that no token runs into one; and where."""
    if b"%" not in data and b"\\" not in data:
        return data, []
    parted, places = bytearray(data), []
    for start, end in _ESCAPED.places(data):
        parted[start:end] = _BREAK * (end - start)
        places.append(start)
    return bytes(parted), places


def overwrite(data: bytes) -> tuple[bytes, bytes, list[int]]:
    """The text with `FILL` over each marker; as rules see it, which is more; and where that is more.

    There `BREAK` stands over written-out line breaks, and blanks for a written-out tab. Every place
    stays where it is.
    """
    exact, filled, places = bytearray(data), bytearray(data), []
    for start, end in _WRITTEN_OUT.places(data):
        if data[start] == _MARK:
            exact[start:end] = filled[start:end] = FILLED * (end - start)
        else:
            filled[start:end] = (_BLANK if data[end - 2 : end] == _TAB else _BREAK) * (end - start)
            places.append(start)
    return bytes(exact), bytes(filled), places
