"""Puts text from outside into markdown for people so that it can only be read.

No mention, no reference that closes something, no link, no HTML, no heading. Code spans survive,
because plans name functions and files. Redact a text before it comes here: an escaped address is
harder to know.
"""

from __future__ import annotations

import re

from autofix.redact.clean import visible

_CODE_SPAN = re.compile(r"(?<![`\\])(`[^`]+`)(?!`)")
_ESCAPED = re.compile(r"([\\`*\[\]|~])")
_BLOCK = re.compile(r"^([#+=-]|\d+(?=[.)]))")
_BREAK = "&#8203;"
"""A zero-width space: the reader sees the text, GitHub sees no mention or reference."""
_FENCE_RUN = re.compile(r"`{3,}")


def inline(text: str, cap: int = 2_000) -> str:
    """The text on one line, harmless."""
    line = _one_line(text)
    if len(line) > cap:
        line = f"{line[:cap]}…"
    # odd pieces are code spans, in which GitHub looks for nothing
    pieces = _CODE_SPAN.split(line)
    joined = "".join(p if i % 2 else escape(p) for i, p in enumerate(pieces))
    return _BLOCK.sub(_unblock, joined)


def plain(text: str, cap: int = 200) -> str:
    """The text on one line for a title or a commit message, where nothing can be escaped.

    GitHub looks for mentions and closing references there too, so their marks are set apart.
    """
    line = _one_line(text)
    line = re.sub(r"@(?=\w)", "@ ", line)
    line = re.sub(r"#(?=\d)", "# ", line)
    line = re.sub(r"(?i)\b(gh)-(?=\d)", r"\1 ", line)
    line = line.replace("://", ": //")
    return line if len(line) <= cap else f"{line[: cap - 1]}…"


def cell(text: str, cap: int = 300) -> str:
    """As `inline`, for a table cell: a bar would end it even inside a code span."""
    return inline(text.replace("|", "¦"), cap)


def code(text: str, cap: int = 300) -> str:
    """The text as one code span."""
    line = _one_line(text).replace("`", "'")
    return f"`{line[:cap]}{'…' if len(line) > cap else ''}`" if line else "(empty)"


def fence(text: str, cap: int = 6_000) -> str:
    """The text as a code block that nothing inside can close."""
    text = visible(text)
    if len(text) > cap:
        text = f"{text[:cap]}\n… {len(text) - cap} characters left out"
    longest = max((len(run) for run in _FENCE_RUN.findall(text)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}text\n{text}\n{marks}"


def escape(text: str) -> str:
    """The text with every mark taken apart that markdown or GitHub would act on."""
    text = _ESCAPED.sub(r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"#(?=\d)", f"#{_BREAK}", text)  # first: the break itself has such a mark
    text = text.replace("@", f"@{_BREAK}").replace("://", f":{_BREAK}//")
    text = re.sub(r"(?i)\b(www)\.", rf"\1{_BREAK}.", text)
    return re.sub(r"(?i)\b(gh)-(?=\d)", rf"\1-{_BREAK}", text)


def _unblock(match: re.Match[str]) -> str:
    """What would begin a heading, a list or a rule at the beginning of a line, escaped."""
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"


def _one_line(text: str) -> str:
    return " ".join(visible(text).split())
