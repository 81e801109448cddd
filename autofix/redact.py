"""The one door through which text leaves for a model, a log, an artifact or a pull request.

First form: the live secret values with their base64 and URL-encoded forms, and the plainest
credential shapes. Lines are capped before anything matches them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from urllib.parse import quote

import re2

LINE_CAP = 4_000
"""Characters of a line that are kept; the rest is counted and dropped."""

_MIN_SECRET = 6

_RULES: tuple[tuple[str, str], ...] = (
    ("private-key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?"),
    ("github-token", r"\b(gh[pousr]_[A-Za-z0-9_]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    ("openai-key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    ("aws-key", r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
)
_KEYED = re2.compile(
    r"(?i)\b((?:[a-z0-9_.-]*(?:passwd|password|secret|token|api[_-]?key))\"?\s*[=:]\s*\"?)"
    r"([^\s\"',;}&]{6,})"
)
_BEARER = re2.compile(r"(?i)\b((?:bearer|basic)\s+)([A-Za-z0-9._~+/=-]{8,})")
_DSN = re2.compile(r"\b([a-z][a-z0-9+]{2,20}://[^\s:/@]{0,80}:)([^\s@/]{1,200})(@)")
_EMAIL = re2.compile(r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b")
_COMPILED = tuple((kind, re2.compile(pattern)) for kind, pattern in _RULES)
# control (but tab and newline), zero-width, bidi and tag characters
_HIDDEN = re2.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}"
    r"\x{feff}\x{e0000}-\x{e007f}]"
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without credentials, personal addresses and characters that hide.

    Args:
        text: anything read from outside.
        secrets: live secret values; each is removed also in base64 and URL-encoded form.

    Returns:
        The text with each secret replaced by ``«kind»``. Idempotent.
    """
    text = "\n".join(_cap(line) for line in _HIDDEN.sub("", text).split("\n"))
    for value in sorted({s for s in secrets if len(s) >= _MIN_SECRET}, key=len, reverse=True):
        encoded = base64.b64encode(value.encode()).decode()
        for form in (value, encoded, encoded.rstrip("="), quote(value, safe="")):
            text = text.replace(form, "«secret»")
    # replacements are functions: re2 garbles templates that are not ASCII
    for kind, pattern in _COMPILED:
        text = pattern.sub(lambda _, kind=kind: f"«{kind}»", text)
    text = _DSN.sub(lambda m: f"{m[1]}«password»{m[3]}", text)
    text = _KEYED.sub(_mask_keyed, text)
    text = _BEARER.sub(_mask_keyed, text)
    return str(_EMAIL.sub(lambda _: "«email»", text))


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """`redact` with these live secret values bound to it."""
    values = tuple(secrets)
    return lambda text: redact(text, values)


def _mask_keyed(match: re2._Match) -> str:
    return match[0] if "«" in match[2] else f"{match[1]}«secret»"


def _cap(line: str) -> str:
    if len(line) <= LINE_CAP:
        return line
    return f"{line[:LINE_CAP]}… [{len(line) - LINE_CAP} characters dropped]"
