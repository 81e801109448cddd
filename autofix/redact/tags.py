"""What stands in the place of a redacted value: its kind and a short tag, ``«github-token:a1b2»``.

The tag is a keyed hash: equal values have equal tags in every task, process and run of one
installation, and without the key nobody can try values against it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from autofix.redact.spans import BREAK, FILL, rx

MARKER = rx(r"«[a-z][a-z0-9-]{1,40}:[0-9a-f]{4}»")
_WRITTEN_OUT = rx(
    r"«[a-z][a-z0-9-]{1,40}:[0-9a-f]{4}»|\\+[nrt]|%0[aAdD]|\\+(?:u001[bB]|x1[bB]|033|e)\[[0-9;]{0,20}[A-Za-z]"
    r"|\\+u00(?:0[0-9a-dA-D]|85)|\\+u202[89]"
)
_MARK = "«".encode()[0]
_TAG_BYTES = 2


def derive_key(parts: Iterable[str]) -> bytes:
    """A key that whoever knows the same parts derives again."""
    return hashlib.sha256("\0".join(["redaction", *parts]).encode()).digest()


def render_marker(key: bytes, kind: str, value: bytes) -> bytes:
    """The marker of a value; the kind is no part of what is hashed."""
    tag = hmac.digest(key, value, "sha256")[:_TAG_BYTES].hex()
    return f"«{kind}:{tag}»".encode()


def overwrite(data: bytes) -> bytes:
    """The text as rules see it: `FILL` over each marker, `BREAK` over written-out line breaks.

    Every place stays where it is.
    """
    parts: list[bytes] = []
    end = 0
    for match in _WRITTEN_OUT.finditer(data):
        byte = FILL if data[match.start()] == _MARK else BREAK
        parts += [data[end : match.start()], bytes((byte,)) * (match.end() - match.start())]
        end = match.end()
    return b"".join([*parts, data[end:]]) if parts else data
