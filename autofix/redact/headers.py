"""Secrets in HTTP headers: ``Authorization`` with its schemes, and cookies."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from autofix.redact.reading import Value, read_values
from autofix.redact.spans import Span, has_any, is_filled, rx
from autofix.redact.values import is_placeholder, looks_likely, looks_random, reads_as_name

_SCHEME = rx(
    r"(?i)(bearer|basic|token|apikey|api-key|digest|negotiate|ntlm|aws4-hmac-sha256|hawk|sharedkey"
    r"|sharedkeylite|oauth|jwt|ssws|mac|key|bot|aws|hmac|googlelogin)(?:[ \t]+|%20|\+)"
)
_WHOLE = {b"digest", b"aws4-hmac-sha256", b"hawk", b"oauth", b"mac", b"hmac", b"googlelogin"}
"""Schemes with several fields behind them."""
_REST = rx(r"""[^"'`\n\x02\\]+""")
_FIELDS = rx(r"[^\n\x02]*")
_WORD = rx(r"""[^\s\x02"'`,;<>)\]}\\]+""")
_PAIR = rx(r"""([^\s\x02=;,"]+)=("[^"\n]*"|[^\s\x02;,"'\\]+)""")
_COOKIES = rx(
    r"""[^\s\x02=;,"'\[]+=[^\s\x02;,"'\\]*(?:;[ ]?[^\s\x02=;,"']+(?:=[^\s\x02;,"'\\]*)?)*"""
)
_ATTRIBUTES = {
    b"path", b"domain", b"expires", b"max-age", b"samesite", b"httponly", b"secure", b"priority",
    b"version", b"partitioned",
}  # fmt: skip
_MID_SCHEME = rx(r"(?i)\b(bearer|basic)(?:[ \t]+|%20|:[ \t]*)([a-z0-9._~+/=\-]{6,})")
_LEAST = 6
"""Characters of the shortest secret without a scheme before it."""


def find_schemes(data: bytes) -> Iterator[Span]:
    """``Bearer x`` and ``Basic x`` wherever they stand."""
    if not has_any(data.lower(), b"bearer", b"basic"):
        return
    for match in _MID_SCHEME.finditer(data):
        value = match[2].rstrip(b".")
        if match[1].lower() == b"basic":
            found = is_basic(value) or (len(value) >= 16 and looks_random(value))  # noqa: PLR2004
        else:
            found = len(value) >= 8 and not is_placeholder(value, quoted=True)  # noqa: PLR2004
            found = (found and not value.isalpha()) or len(value) >= 40  # noqa: PLR2004
            found = found and b"=" not in value.rstrip(b"=")
        if found:
            yield Span(match.start(2), match.start(2) + len(value), "authorization")


def is_basic(value: bytes) -> bool:
    """Whether this is a name and a password as ``Basic`` sends them."""
    try:
        plain = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain and plain.isascii() and plain.decode().isprintable()


def read_authorization(data: bytes, at: int, form: bytes) -> Iterator[Span]:
    """The secret behind its scheme; all the fields of a scheme that has several."""
    for value in read_values(data, at):
        start, end = value.start, value.end
        if not value.quoted:
            rest = _REST.end(data, start)
            end = rest if rest >= 0 else end
        scheme = _SCHEME.match(data[start:end])
        if scheme is None:
            word = value if value.quoted else _word(data, start, end)
            text = data[word.start : word.end]
            name = (form == b"," and not looks_likely(text)) or reads_as_name(text)
            dull = is_filled(text) or is_placeholder(text, quoted=value.quoted)
            if len(text) >= _LEAST and not name and not dull:
                yield Span(word.start, word.end, "authorization")
            continue
        start += scheme.end()
        if scheme[1].lower() in _WHOLE:
            end = end if value.quoted else _FIELDS.end(data, start)
        else:
            start, end, _ = _word(data, start, end)
        text = data[start:end].rstrip()
        dull = is_filled(text) or is_placeholder(text, quoted=True)
        if text and not dull and not (text.isalpha() and text.islower()):
            yield Span(start, start + len(text), "authorization")


def _word(data: bytes, start: int, end: int) -> Value:
    return Value(start, max(start, _WORD.end(data, start, end)), quoted=False)


def read_cookies(data: bytes, at: int) -> Iterator[Span]:
    """The value of each cookie; attributes of ``Set-Cookie`` stay."""
    listed = _COOKIES.end(data, at)
    values = [Value(at, listed, quoted=False)] if listed >= 0 else list(read_values(data, at))
    for value in values:
        pairs = list(_PAIR.finditer(data, value.start, value.end))
        for match in pairs:
            text = match[2]
            dull = is_filled(text) or is_placeholder(text, quoted=True)
            if match[1].lower() not in _ATTRIBUTES and not dull:
                yield Span(match.start(2), match.end(2), "cookie")
        if not pairs and looks_random(data[value.start : value.end]):
            yield Span(value.start, value.end, "cookie")
