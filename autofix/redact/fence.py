"""Puts text from outside into a prompt so that it can only be read: between lines it cannot write."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

from autofix.redact.clean import cut, visible

_TILDES = re.compile(r"~{3,}")
_LINE_CAP = 600


def make_nonce(secrets: Iterable[str], *texts: str) -> str:
    """What a fence line carries: nobody outside can know it, and the same render has it again.

    It depends on all that is rendered, so that a text cannot hold the nonce of its own fence, and
    on the secrets, so that it cannot be computed.
    """
    key = "\0".join(sorted(secrets)).encode()
    return hmac.new(key, "\0".join(texts).encode(), hashlib.sha256).hexdigest()[:16]


def fenced(text: str, nonce: str) -> str:
    """The text between fence lines with the nonce; for people it may be empty.

    Nothing inside can close it: the nonce is taken out of the text, and the tildes of the fence
    are more than any run of them in it.
    """
    text = without(visible(text), nonce)
    tildes = "~" * (1 + max([2, *(len(run) for run in _TILDES.findall(text))]))
    opened = f"{tildes} {nonce}".rstrip()
    close = [f"{tildes} {nonce}", tildes] if nonce else [tildes]
    return "\n".join([opened, text, *close])


def without(text: str, nonce: str) -> str:
    """The text with no nonce in it, for what stands outside a fence."""
    return text.replace(nonce, "…") if nonce else text


def one_line(text: str, cap: int = _LINE_CAP) -> str:
    """The text on one line of bounded length, so that a name cannot make a heading or a fence."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= cap else f"{cut(flat, cap)}…"
