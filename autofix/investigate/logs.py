"""Log lines to templates with counts, first and last seen, and whole examples.

Lines are masked and counted; a token tree for logs with more shapes than this can hold has its
place in `build_templates`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from autofix.observe.wire import LogLine

LINE_CAP = 2_000
"""Characters of one line that are looked at."""
BLOCK_LINES = 40
"""Lines of one traceback that are kept: its head and its tail."""
_BLOCK_GAP = timedelta(seconds=2)
"""Lines further apart than this are no longer one traceback."""

_PLATFORM = re.compile(
    r"^(?:Container (?:killed|restarted|exited|crashed)|(?:Starting|Stopping) Container"
    r"|Restarting container|Mounting volume|Railway rate limit|Healthcheck )",
    re.IGNORECASE,
)
_TRACEBACK = re.compile(r"^\s*Traceback \(most recent call last\)")
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_MASKS = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[a-f]*[0-9])[0-9a-f]{12,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"0x[0-9a-f]+", re.IGNORECASE), "<hex>"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "<n>"),
)
_MEASURED = re.compile(r"\b[a-z][\w.]*=\d|\b\d+(?:\.\d+)? ?(?:[kmg]i?b|ms|s|%)\b", re.IGNORECASE)
_WORD = re.compile(r"\w")
_LEVEL_KEYS = frozenset({"level", "severity", "timestamp", "time", "message", "msg"})


class LineKind(StrEnum):
    """Who speaks, and how loud."""

    error = "error"
    platform = "platform"
    other = "other"


@dataclass(frozen=True)
class Entry:
    """One message; a traceback of many lines is one message."""

    at: datetime
    kind: LineKind
    text: str


@dataclass(frozen=True)
class Template:
    """Messages of one shape."""

    shape: str
    kind: LineKind
    count: int
    first: Entry
    last: Entry

    @property
    def is_measured(self) -> bool:
        """Whether it reports numbers with names or units: what a service says of itself."""
        return _MEASURED.search(self.last.text) is not None


def build_entries(lines: Iterable[LogLine]) -> list[Entry]:
    """Messages in order, the lines of each traceback put together."""
    ordered = sorted(lines, key=lambda line: line.at)
    errors = _join_blocks([line for line in ordered if _kind(line) is LineKind.error])
    others = [
        Entry(line.at, _kind(line), _text(line))
        for line in ordered
        if _kind(line) is not LineKind.error and _WORD.search(line.message)
    ]
    return sorted([*errors, *others], key=lambda entry: entry.at)


def build_templates(entries: Iterable[Entry]) -> list[Template]:
    """One template a shape, the most frequent first."""
    shapes: dict[tuple[LineKind, str], list[Entry]] = {}
    for entry in entries:
        shapes.setdefault((entry.kind, mask(entry.text)), []).append(entry)
    found = [
        Template(shape, kind, len(group), group[0], group[-1])
        for (kind, shape), group in shapes.items()
    ]
    return sorted(found, key=lambda t: (-t.count, t.first.at, t.shape))


def mask(text: str) -> str:
    """The text with ids and numbers masked. Idempotent."""
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


def render_errors(templates: Sequence[Template], limit: int = 8) -> str:
    """Errors, each with its count and one whole example: tracebacks first, then by count."""
    ranked = sorted(templates, key=lambda t: ("\n" not in t.last.text, -t.count))
    return _render(ranked, LineKind.error, limit, _one_example)


def render_platform(templates: Sequence[Template], limit: int = 8) -> str:
    """What the platform says about the containers."""
    return _render(templates, LineKind.platform, limit, _one_example)


def render_others(templates: Sequence[Template], limit: int = 12) -> str:
    """Other lines of the application, those with measurements first, then by count.

    The first and the last line of a shape stand together, so that a number that grows is seen.
    """
    ranked = sorted(templates, key=lambda t: (not t.is_measured, -t.count))
    return _render(ranked, LineKind.other, limit, _first_and_last)


def _render(
    templates: Sequence[Template], kind: LineKind, limit: int, example: Callable[[Template], str]
) -> str:
    chosen = [t for t in templates if t.kind is kind]
    parts = [f"{_seen(t)}\n{example(t)}" for t in chosen[:limit]]
    if len(chosen) > limit:
        rest = sum(t.count for t in chosen[limit:])
        parts.append(f"and {len(chosen) - limit} more shapes, {rest:,} lines")
    return "\n".join(parts)


def _seen(template: Template) -> str:
    first, last = template.first.at, template.last.at
    if template.count == 1:
        return f"×1 at {first:%H:%M:%S}"
    return f"×{template.count:,} from {first:%H:%M:%S} to {last:%H:%M:%S}"


def _one_example(template: Template) -> str:
    return template.last.text


def _first_and_last(template: Template) -> str:
    first, last = template.first.text, template.last.text
    return last if first == last else f"{first}\n{last}"


def _kind(line: LogLine) -> LineKind:
    if _PLATFORM.match(line.message):
        return LineKind.platform
    return LineKind.error if line.is_error else LineKind.other


def _text(line: LogLine) -> str:
    """The message with the fields of a structured line behind it."""
    fields = " ".join(
        f"{a.key}={a.value.strip(chr(34))}" for a in line.attributes if a.key not in _LEVEL_KEYS
    )
    message = line.message.rstrip()[: LINE_CAP * 4]
    return f"{message} {fields}"[:LINE_CAP] if fields else _cap_lines(message)


def _cap_lines(message: str) -> str:
    return "\n".join(part[:LINE_CAP] for part in message.split("\n"))


def _join_blocks(lines: Sequence[LogLine]) -> list[Entry]:
    """Error lines with tracebacks and indented continuations put together."""
    blocks: list[list[LogLine]] = []
    open_ = False
    for line in lines:
        near = bool(blocks) and line.at - blocks[-1][-1].at <= _BLOCK_GAP
        starts = _TRACEBACK.match(line.message) is not None
        chained = line.message.startswith(_CHAINED)
        indented = line.message[:1].isspace() or not line.message.strip()
        if near and (indented or chained or (open_ and not starts) or _is_chained(blocks, starts)):
            blocks[-1].append(line)
            # the exception itself: the first line of a traceback that is not indented
            open_ = starts or chained or (open_ and indented)
        else:
            blocks.append([line])
            open_ = starts
    return [entry for block in blocks if (entry := _block_entry(block)) is not None]


def _is_chained(blocks: Sequence[Sequence[LogLine]], starts: bool) -> bool:
    """Whether a new traceback belongs to the one before, which announced it."""
    said = [line.message for line in blocks[-1] if line.message.strip()]
    return starts and bool(said) and said[-1].startswith(_CHAINED)


def _block_entry(block: Sequence[LogLine]) -> Entry | None:
    texts = [_text(line) for line in block]
    if len(texts) > BLOCK_LINES:
        half = BLOCK_LINES // 2
        dropped = len(texts) - 2 * half
        texts = [*texts[:half], f"  … {dropped} lines dropped", *texts[-half:]]
    text = "\n".join(texts).strip("\n")
    return Entry(block[0].at, LineKind.error, text) if _WORD.search(text) else None
