"""Messages to templates in bounded memory: what was said, how often, and since when.

Numbers, ids and addresses are masked first. What differs in a word or two after that is one
template, found by a tree over the number of words and the first of them. However many messages
come, no more than `CAP` templates are held; the least telling ones make room and are counted.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

from autofix.investigate import traces
from autofix.investigate.logs import Entry, LineKind

CAP = 1_000
"""Templates that are held at most twice over."""
_LEAF = 24
"""Templates with the same beginning and number of words; beyond them the nearest one is taken."""
_ALIKE = 0.6
"""Share of equal words from which two messages are one template."""
_KNOWN_SHAPES = 4_096
"""Masked texts whose template is remembered."""
_WORDS = 60
"""Words of a message that are compared."""
_FILTER_BITS = 1 << 20
WILD = "<*>"
_FATAL = re.compile(
    r"\b(?:FATAL|CRITICAL|PANIC|EMERG)\b|\bpanic:|\bfatal error\b|\bout of memory\b|\bOOM\b"
)

_ID, _HEX, _NUMBER, _ADDRESS, _TIME = "<id>", "<hex>", "<n>", "<ip>", "<time>"
_MASK = re.compile(
    r"(?P<time>\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?)"
    r"|(?P<id>\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)"
    r"|(?P<hex>0[xX][0-9a-fA-F]+|\b(?=[a-fA-F]*[0-9])[0-9a-fA-F]{12,}\b)"
    r"|(?P<number>\d+(?:[.,:]\d+)*)"
)
_NAMES = {"time": _TIME, "id": _ID, "ip": _ADDRESS, "hex": _HEX, "number": _NUMBER}
_MEASURED = re.compile(
    r"\b[a-z][\w.]*=\d|\b\d+(?:\.\d+)? ?(?:[kmg]i?b|ms|s|%|quer(?:y|ies)|rows|retries)\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Template:
    """Messages of one shape."""

    kind: LineKind
    words: list[str]
    first: Entry
    last: Entry
    example: Entry
    """The first one at or after the onset; before that, the first one."""
    count: int = 0
    before: int = 0
    """How many of them before the onset."""
    seen_before: bool = False
    """Whether it was seen before the onset and had to make room since."""
    is_trace: bool = False
    is_fatal: bool = False
    """Whether it says of itself that it is worse than an error."""

    @property
    def shape(self) -> str:
        """The masked text; what differs is `WILD`."""
        return " ".join(self.words)

    @property
    def after(self) -> int:
        """How many of them at or after the onset."""
        return self.count - self.before

    @property
    def is_measured(self) -> bool:
        """Whether it reports numbers with names or units: what a service says of itself."""
        return _MEASURED.search(self.last.text) is not None


@dataclass(frozen=True)
class Coverage:
    """How many seconds before and after the onset were read of a log."""

    before: float = 0.0
    after: float = 0.0


@dataclass
class Templates:
    """What a log says, in as many templates as are worth holding."""

    onset: datetime
    coverage: Mapping[LineKind, Coverage] = field(default_factory=dict)
    found: list[Template] = field(default_factory=list)
    left_out: Counter[LineKind] = field(default_factory=Counter)
    """Messages of templates that made room."""

    def factor(self, template: Template) -> float | None:
        """How many times more often than before the onset; None where the time before is not known.

        Infinite for what was not said before the onset at all.
        """
        read = self.coverage.get(template.kind, Coverage())
        if read.before <= 0 or read.after <= 0:
            return None
        if not template.before:
            return None if template.seen_before else float("inf")
        return template.after / read.after / (template.before / read.before)

    def is_news(self, template: Template) -> bool:
        """Whether it appeared or multiplied at the onset."""
        factor = self.factor(template)
        return bool(template.after) and factor is not None and factor >= NEWS

    def of(self, kind: LineKind) -> list[Template]:
        """The templates of one kind, the most telling first.

        Among equals what is said often takes turns with what was said first after the onset: the
        cause may be a single line.
        """
        chosen = [t for t in self.found if t.kind is kind]
        ordered: list[Template] = []
        for _, group in itertools.groupby(sorted(chosen, key=self.rank), key=self._tier):
            ordered += _take_turns(list(group), self.onset)
        return ordered

    def rank(self, template: Template) -> tuple[object, ...]:
        """Sorts what appeared or multiplied at the onset first, then stack traces, then by count."""
        return (*self._tier(template), -template.count, template.first.at, template.shape)

    def _tier(self, template: Template) -> tuple[bool, ...]:
        return (
            not self.is_news(template),
            not template.is_trace,
            not template.is_fatal,
            template.kind is LineKind.other and not template.is_measured,
        )


NEWS = 3.0
"""What is said this many times more often than before the onset has multiplied."""


def build_templates(
    entries: Iterable[Entry], onset: datetime, coverage: Mapping[LineKind, Coverage] | None = None
) -> Templates:
    """The templates of messages in any number, within bounded memory.

    Args:
        entries: messages, about in the order of their time.
        onset: when the trouble began.
        coverage: how much was read of each kind before and after it; nothing is called new
            without it.
    """
    tree = _Tree(Templates(onset, coverage or {}))
    for entry in entries:
        tree.add(entry)
    return tree.finish()


def mask(text: str) -> str:
    """The text with times, ids, addresses and numbers masked. Idempotent."""
    return _MASK.sub(lambda m: _NAMES[m.lastgroup or ""], text)


class _Tree:
    """Finds the template of a message, or makes one."""

    def __init__(self, templates: Templates) -> None:
        self._out = templates
        self._leaves: dict[tuple[LineKind, int, str], list[Template]] = {}
        self._known: dict[tuple[LineKind, str], Template] = {}
        self._dropped = bytearray(_FILTER_BITS // 8)
        self._count = 0

    def add(self, entry: Entry) -> None:
        is_trace = entry.is_trace
        shape = mask(traces.signature(entry.text) if is_trace else entry.text)
        template = self._known.get((entry.kind, shape))
        if template is None:
            template = self._find(entry, shape, is_trace=is_trace)
            if len(self._known) >= _KNOWN_SHAPES:
                self._known.clear()
            self._known[entry.kind, shape] = template
        template.count += 1
        is_before = entry.at < self._out.onset
        template.before += is_before
        if entry.at < template.first.at:
            template.first = entry
        if entry.at >= template.last.at:
            template.last = entry
        if not is_before and template.after == 1:
            template.example = entry

    def finish(self) -> Templates:
        self._out.found = sorted(self._all(), key=self._out.rank)
        return self._out

    def _all(self) -> Iterator[Template]:
        for leaf in self._leaves.values():
            yield from leaf

    def _find(self, entry: Entry, shape: str, *, is_trace: bool) -> Template:
        words = shape.split(maxsplit=_WORDS)[:_WORDS] or [""]
        leaf = self._leaves.setdefault((entry.kind, len(words), words[0]), [])
        near = max(leaf, key=lambda t: _likeness(t.words, words), default=None)
        if near is not None:
            alike = 0.0 if is_trace or near.is_trace else _likeness(near.words, words)
            if near.words == words:
                return near
            if alike >= _ALIKE or (len(leaf) >= _LEAF and alike > 0):
                near.words = [a if a == b else WILD for a, b in zip(near.words, words, strict=True)]
                return near
        return self._make(entry, words, leaf, is_trace=is_trace)

    def _make(
        self, entry: Entry, words: list[str], leaf: list[Template], *, is_trace: bool
    ) -> Template:
        if self._count >= 2 * CAP:
            self._make_room()
            leaf = self._leaves.setdefault((entry.kind, len(words), words[0]), [])
        template = Template(
            kind=entry.kind,
            words=words,
            first=entry,
            last=entry,
            example=entry,
            is_trace=is_trace,
            is_fatal=_FATAL.search(entry.text) is not None,
            seen_before=entry.at >= self._out.onset and self._was_dropped(words),
        )
        leaf.append(template)
        self._count += 1
        return template

    def _make_room(self) -> None:
        """Keep the most telling half: errors before others, and each kind by its rank."""
        order = list(LineKind)
        ranked = sorted(self._all(), key=lambda t: (order.index(t.kind), self._out.rank(t)))
        quota = {
            LineKind.error: CAP // 2,
            LineKind.platform: CAP // 8,
            LineKind.other: CAP // 8 * 3,
        }
        kept: dict[tuple[LineKind, int, str], list[Template]] = {}
        self._count = 0
        for template in ranked:
            if quota[template.kind] > 0:
                quota[template.kind] -= 1
                kept.setdefault((template.kind, len(template.words), template.words[0]), []).append(
                    template
                )
                self._count += 1
                continue
            self._out.left_out[template.kind] += template.count
            if template.before:
                self._mark_dropped(template.words)
        self._leaves, self._known = kept, {}

    def _mark_dropped(self, words: list[str]) -> None:
        for bit in _bits(words):
            self._dropped[bit >> 3] |= 1 << (bit & 7)

    def _was_dropped(self, words: list[str]) -> bool:
        return all(self._dropped[bit >> 3] & (1 << (bit & 7)) for bit in _bits(words))


def _take_turns(group: list[Template], onset: datetime) -> list[Template]:
    """By count and by how soon after the onset they came first, in turns."""
    soon = sorted(group, key=lambda t: (t.first.at < onset, t.first.at, t.shape))
    turns = itertools.chain.from_iterable(zip(group, soon, strict=True))
    return list({id(t): t for t in turns}.values())


def _likeness(one: list[str], other: list[str]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=False)) / max(1, len(one))


def _bits(words: list[str]) -> tuple[int, int]:
    """Two places in a filter that tells what was certainly never put into it."""
    digest = blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest[:4]) % _FILTER_BITS, int.from_bytes(digest[4:]) % _FILTER_BITS
