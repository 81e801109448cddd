"""Puts text from outside into GitHub markdown so that it can only be read.

No mention, no reference that closes something, no link, no HTML. Code spans survive, because
plans name functions and files.
"""

from __future__ import annotations

import re

_CODE_SPAN = re.compile(r"(?<![`\\])(`[^`]+`)(?!`)")
_ESCAPED = re.compile(r"([\\`*\[\]|~])")
_BREAK = "&#8203;"
"""A zero-width space: the reader sees the text, GitHub sees no mention or reference."""
_FENCE_RUN = re.compile(r"`{3,}")


def inline(text: str, cap: int = 2_000) -> str:
    """The text on one line, harmless."""
    line = " ".join(text.split())
    if len(line) > cap:
        line = f"{line[:cap]}…"
    # odd pieces are code spans, in which GitHub looks for nothing
    pieces = _CODE_SPAN.split(line)
    return "".join(p if i % 2 else _escape(p) for i, p in enumerate(pieces))


def plain(text: str, cap: int = 200) -> str:
    """The text on one line for a title or a commit message, where nothing can be escaped.

    GitHub looks for mentions and closing references there too, so their marks are set apart.
    """
    line = " ".join(text.split())
    line = re.sub(r"@(?=\w)", "@ ", line)
    line = re.sub(r"#(?=\d)", "# ", line)
    line = re.sub(r"(?i)\b(gh)-(?=\d)", r"\1 ", line)
    line = line.replace("://", ": //")
    return line if len(line) <= cap else f"{line[: cap - 1]}…"


def cell(text: str) -> str:
    """As `inline`, for a table cell: a bar would end it even inside a code span."""
    return inline(text.replace("|", "¦"), cap=300)


def code(text: str, cap: int = 300) -> str:
    """The text as one code span."""
    line = " ".join(text.split()).replace("`", "'")
    return f"`{line[:cap]}{'…' if len(line) > cap else ''}`" if line else "(empty)"


def fence(text: str, cap: int = 6_000) -> str:
    """The text as a code block that nothing inside can close."""
    if len(text) > cap:
        text = f"{text[:cap]}\n… {len(text) - cap} characters left out"
    longest = max((len(run) for run in _FENCE_RUN.findall(text)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}text\n{text}\n{marks}"


def _escape(text: str) -> str:
    text = _ESCAPED.sub(r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("@", f"@{_BREAK}").replace("://", f":{_BREAK}//")
    text = re.sub(r"(?i)\b(www)\.", rf"\1{_BREAK}.", text)
    text = re.sub(r"(?<!&)#(?=\d)", f"#{_BREAK}", text)  # not that of a break
    return re.sub(r"(?i)\b(gh)-(?=\d)", rf"\1-{_BREAK}", text)
