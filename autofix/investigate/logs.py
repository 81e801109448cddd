"""Log lines to messages: who speaks, how loud, and which lines are one stack trace.

Lines come as an iterator in the order of their time and leave as one; what is held in between is
bounded.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from autofix.investigate import traces
from autofix.investigate.traces import Phase
from autofix.observe.wire import LogLine
from autofix.redact import cut

LINE_CAP = 2_000
"""Characters of one line that are looked at."""
BLOCK_LINES = 48
"""Lines of one stack trace that are kept."""
_GAP = timedelta(seconds=2)
"""Lines further apart than this are no longer one message."""
_STREAMS = 64
"""Streams of lines in which a message may be under way at the same time."""
_HEAD, _OWN, _TAIL = 64, 12, 64
"""Lines of a message under way that are held."""

_PLATFORM = re.compile(
    r"^(?:Container (?:killed|restarted|exited|crashed)|(?:Starting|Stopping) Container"
    r"|Restarting container|Mounting volume|Railway rate limit|Healthcheck )",
    re.IGNORECASE,
)
_LOWER = "trace|debug|info|notice|warn(?:ing)?|err(?:or)?|fatal|crit(?:ical)?|panic|alert"
_LEVEL = re.compile(
    r"(?:^|[\s\[|(<\"=])"
    r"(?P<upper>TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|FATAL|CRITICAL|SEVERE|PANIC)\b"
    rf"|\b(?:level|severity|lvl)=\"?(?P<named>{_LOWER})\b|^\[?(?P<first>{_LOWER})[\]:]"
)
_LOUD = frozenset(
    {"err", "error", "fatal", "critical", "severe", "panic", "crit", "emerg", "alert"}
)
_QUIET = frozenset({"trace", "debug", "info", "notice", "warn", "warning"})
_LEVEL_KEYS = frozenset({"level", "severity", "timestamp", "time", "message", "msg", "ts", "lvl"})
_STACK_KEYS = re.compile(
    r"(?:^|[._])(?:stack|stack_?trace|trace_?back|exc_info|exception|err|error)$"
)
_WORD = re.compile(r"\w")


class LineKind(StrEnum):
    """Who speaks, and how loud."""

    error = "error"
    platform = "platform"
    other = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message; a stack trace of many lines is one message."""

    at: datetime
    kind: LineKind
    text: str

    @property
    def is_trace(self) -> bool:
        """Whether it is a stack trace."""
        return self.kind is LineKind.error and traces.is_trace(self.text)


@dataclass(slots=True)
class _Block:
    """Lines that are one message so far."""

    at: datetime
    end: datetime
    kind: LineKind
    phase: Phase
    last: str
    head: list[str]
    own: list[str] = field(default_factory=list)
    """Frames of the application's own code from between head and tail."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    dropped: int = 0

    def add(self, at: datetime, text: str) -> None:
        self.end, self.last = at, text
        self.phase = traces.advance(self.phase, text)
        if len(self.head) < _HEAD:
            self.head.append(text)
            return
        if len(self.tail) == _TAIL:
            if len(self.own) < _OWN and traces.is_own_frame(self.tail[0]):
                self.own.append(self.tail[0])
            else:
                self.dropped += 1
        self.tail.append(text)

    def entry(self) -> Entry | None:
        note = [f"  … {self.dropped} lines dropped"] if self.dropped else []
        lines = "\n".join([*self.head, *self.own, *note, *self.tail]).strip("\n").split("\n")
        text = "\n".join(traces.shorten(lines, BLOCK_LINES))
        if not _WORD.search(text):
            return None
        kind = (
            LineKind.error if self.kind is LineKind.other and traces.is_trace(text) else self.kind
        )
        return Entry(self.at, kind, text)


def build_entries(lines: Iterable[LogLine]) -> Iterator[Entry]:
    """Messages, the lines of each stack trace put together.

    Lines of different containers and of different loudness do not mix, since each is a stream of
    its own. Messages leave in the order in which they end.
    """
    streams: OrderedDict[tuple[str, bool], _Block] = OrderedDict()
    for line in lines:
        kind, text = judge_kind(line), _text(line)
        if kind is LineKind.platform:
            yield Entry(line.at, kind, text)
            continue
        instance = (line.tags.instance_id if line.tags else None) or ""
        key = (instance, line.is_error)
        block = streams.pop(key, None)
        for part in text.split("\n"):
            if block is not None and _belongs(block, line, part):
                block.add(line.at, part)
                continue
            if block is not None and (entry := block.entry()):
                yield entry
            block = _Block(line.at, line.at, kind, traces.advance(Phase.plain, part), part, [part])
        if block is not None:
            streams[key] = block
        if len(streams) > _STREAMS and (entry := streams.popitem(last=False)[1].entry()):
            yield entry
    yield from (entry for block in streams.values() if (entry := block.entry()))


def judge_kind(line: LogLine) -> LineKind:
    """Whose line it is. A level that it names itself counts more than the stream it came by."""
    if _PLATFORM.match(line.message):
        return LineKind.platform
    level = _level(line.message)
    if level in _LOUD:
        return LineKind.error
    if level in _QUIET:
        return LineKind.other
    return LineKind.error if line.is_error else LineKind.other


def _level(message: str) -> str | None:
    found = _LEVEL.search(message[:100])
    return (found["upper"] or found["named"] or found["first"]).lower() if found else None


def _belongs(block: _Block, line: LogLine, part: str) -> bool:
    return line.at - block.end <= _GAP and traces.continues(block.phase, block.last, part)


def _text(line: LogLine) -> str:
    """The message with the fields of a structured line behind it, a stack trace below it."""
    message = "\n".join(
        cut(part, LINE_CAP) for part in cut(line.message.rstrip(), LINE_CAP * 8).split("\n")
    )
    fields: list[str] = []
    stacks: list[str] = []
    for attribute in line.attributes:
        if attribute.key in _LEVEL_KEYS:
            continue
        value = _decoded(attribute.value)
        if "\n" in value and _STACK_KEYS.search(attribute.key):
            stacks.append(cut(value, LINE_CAP * 8))
        else:
            fields.append(f"{attribute.key}={value}")
    head, *rest = message.split("\n")
    if fields:
        head = cut(f"{head} {' '.join(fields)}", LINE_CAP)
    below = [f"  {part}" if part[:1].strip() else part for s in stacks for part in s.split("\n")]
    return "\n".join([head, *rest, *below])


def _decoded(value: str) -> str:
    """An attribute's value, which arrives JSON-encoded."""
    if not value.startswith('"'):
        return value
    try:
        decoded = json.loads(value)
    except ValueError:
        return value.strip('"')
    return decoded if isinstance(decoded, str) else value
