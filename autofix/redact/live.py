"""The secrets this installation really uses, in clear and in the forms they travel in."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

import re2

from autofix.redact.keys import Grade, read_key
from autofix.redact.markdown import escape
from autofix.redact.spans import Detector, Pattern, Span
from autofix.redact.values import is_placeholder, looks_likely

MIN_LENGTH = 6
"""A shorter value is no secret that could be told from a word."""
_MIN_FOUND = 12
"""The least length of a value that is taken from the environment because of its name."""
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


def live_detector(values: Iterable[str]) -> Detector:
    """Finds each of these values, in clear, JSON- and URL-encoded, in hex and within any base64."""
    plain: dict[bytes, bytes] = {}
    encoded: dict[bytes, bytes] = {}
    for value in {v for v in values if len(v) >= MIN_LENGTH}:
        secret = value.encode("utf-8", "replace")
        plain.update(dict.fromkeys(_forms(value), secret))
        encoded.update(dict.fromkeys(_base64_forms(secret), secret))
    if not plain:
        return lambda _: ()
    pattern = _compile([*plain, *encoded])

    def find(data: bytes) -> Iterator[Span]:
        for start, end in pattern.places(data):
            text = data[start:end]
            place = (start, end) if text in plain else _around(data, start, end)
            yield Span(*place, "live-secret", plain.get(text) or encoded.get(text))

    return find


def find_environment_secrets(environment: Mapping[str, str]) -> list[str]:
    """Values of variables whose names say that they are secret."""
    return [
        value
        for name, value in environment.items()
        if len(value) >= _MIN_FOUND
        and (key := read_key(name)) is not None
        and key.grade is Grade.any
        and not is_placeholder(value.encode("utf-8", "replace"), quoted=True)
        and looks_likely(value.encode("utf-8", "replace"))
    ]


def _compile(forms: Iterable[bytes]) -> Pattern:
    return Pattern(b"|".join(re2.escape(form) for form in forms), longest=True)


def _forms(value: str) -> set[bytes]:
    raw = value.encode("utf-8", "replace")
    texts = {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        quote(value, safe="").lower() if "%" in quote(value, safe="") else value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(value)[1:-1])[1:-1],
        escape(value),
        value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    }
    return {text.encode("utf-8", "replace") for text in texts} | {
        raw.hex().encode(),
        raw.hex().upper().encode(),
    }


def _base64_forms(secret: bytes) -> set[bytes]:
    """What every base64 text has in common that holds the secret, at each of three places."""
    forms: set[bytes] = set()
    for lead in range(3):
        padded = b"\0" * lead + secret
        whole = len(padded) - len(padded) % 3
        text = base64.b64encode(padded[:whole])
        first = (0, 2, 3)[lead]
        rest = len(padded) % 3
        extra = base64.b64encode(padded[whole:])[:rest] if rest else b""
        core = (text + extra)[first:]
        if len(core) >= MIN_LENGTH:
            forms |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def _around(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The whole run of base64 that this is in."""
    while start > 0 and data[start - 1] in _BASE64 and data[start - 1] != ord("="):
        start -= 1
    while end < len(data) and data[end] in _BASE64:
        end += 1
    return start, end
