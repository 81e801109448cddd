"""Drafts of evidence to numbered items within a budget of tokens.

A draft is made of blocks, the most decisive first. Each draft keeps its first blocks whatever the
volume; the rest of the budget goes round in turns, and what is left out is counted. This is where
text leaves through the redaction door: block by block, before anything is measured or cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from autofix.models import EvidenceItem
from autofix.tokens import estimate_tokens

SERVICE_TOKENS = 8_000
"""All items of one service."""
BLOCK_TOKENS = 1_100
"""One block; a longer one loses lines in its middle."""
_WHY_TOKENS = 90
_HEAD_TOKENS = 25
"""An item's own line with id, source and times, and its fences."""

Redact = Callable[[str], str]


@dataclass(frozen=True)
class Block:
    """Text that stays in one piece."""

    text: str
    count: int = 1
    """How many lines, requests or other things it stands for."""


@dataclass(frozen=True)
class Draft:
    """An item before it is numbered, redacted and fitted."""

    source: str
    why: str
    blocks: tuple[Block, ...]
    """The most decisive first."""
    start: datetime
    end: datetime
    unit: str = "lines"
    """What `Block.count` counts."""
    floor: int = 1
    """Blocks that stay as long as anything does."""
    turns: int = 1
    """Blocks that are added in each turn."""
    left_out: int = 0
    """What was left out before this."""
    failed: bool = False
    """Whether its source could not be read."""

    @property
    def size(self) -> int:
        """What its blocks stand for."""
        return sum(block.count for block in self.blocks)


@dataclass
class _Fitting:
    """A draft while blocks are chosen for it."""

    draft: Draft
    why: str
    texts: list[str]
    costs: list[int]
    kept: int = 0
    spent: int = field(default=0)

    @property
    def is_whole(self) -> bool:
        return self.kept == len(self.texts)

    def text(self) -> str:
        return "\n".join([*self.texts[: self.kept], *self._note()])

    def _note(self) -> list[str]:
        rest = self.draft.blocks[self.kept :]
        count = sum(block.count for block in rest) + self.draft.left_out
        if not count:
            return []
        more = f"{len(rest):,} more, " if rest and len(rest) != count else ""
        return [f"… left out: {more}{count:,} {self.draft.unit}"]


def text_block(text: str) -> tuple[Block, ...]:
    """A whole text as the only block of a draft; none when it is empty."""
    return (Block(text, len(text.split("\n"))),) if text.strip() else ()


def fit(
    drafts: Iterable[Draft], redact: Redact, tokens: int = SERVICE_TOKENS, first_id: int = 1
) -> tuple[EvidenceItem, ...]:
    """The drafts as numbered items of at most `tokens` by estimate, empty drafts left out.

    Args:
        drafts: the most decisive first.
        redact: applied to every text.
        tokens: for all items together.
        first_id: number of the first item's id.
    """
    fittings = [f for d in drafts if (f := _begin(d, redact)) is not None]
    left = tokens - _floors(fittings, tokens)
    growing = [f for f in fittings if not f.is_whole]
    while growing:
        left, growing = _take_turn(growing, left)
    chosen = [f for f in fittings if f.kept]
    return tuple(_item(f, f"E{first_id + i}", redact) for i, f in enumerate(chosen))


def shorten_text(text: str, tokens: int) -> str:
    """At most `tokens` by estimate: whole lines from the beginning and, fewer, from the end."""
    lines = text.split("\n")
    costs = [estimate_tokens(line) + 1 for line in lines]
    if sum(costs) <= tokens:
        return text
    left = tokens - _NOTE
    head = _count_within(costs, left * 2 // 3)
    spent = sum(costs[:head])
    tail = _count_within(costs[head:][::-1], left - spent)
    dropped = len(lines) - head - tail
    note = f"… {dropped:,} lines dropped"
    if head or tail:
        return "\n".join([*lines[:head], note, *lines[len(lines) - tail :]])
    return _cut_line(lines[0], tokens)


_NOTE = 12
"""Tokens of a note about what was dropped."""


def _begin(draft: Draft, redact: Redact) -> _Fitting | None:
    texts = [shorten_text(redact(block.text), BLOCK_TOKENS) for block in draft.blocks]
    if not any(text.strip() for text in texts):
        return None
    why = shorten_text(" ".join(redact(draft.why).split()), _WHY_TOKENS)
    return _Fitting(draft, why, texts, [estimate_tokens(text) + 1 for text in texts])


def _floors(fittings: Sequence[_Fitting], tokens: int) -> int:
    """Give each draft its first blocks, the decisive drafts first; what that costs."""
    spent = 0
    for fitting in fittings:
        head = _HEAD_TOKENS + _NOTE + estimate_tokens(fitting.why)
        for cost in fitting.costs[: fitting.draft.floor]:
            if spent + head + cost > tokens:
                break
            spent += head + cost
            head = 0
            fitting.kept += 1
    return spent


def _take_turn(growing: Sequence[_Fitting], left: int) -> tuple[int, list[_Fitting]]:
    """Add blocks to each; the ones that can still grow."""
    grown: list[_Fitting] = []
    for fitting in growing:
        for cost in fitting.costs[fitting.kept : fitting.kept + fitting.draft.turns]:
            # an item without its first blocks is not begun with later ones
            if cost > left or not fitting.kept:
                break
            left -= cost
            fitting.kept += 1
        else:
            if not fitting.is_whole:
                grown.append(fitting)
    return left, grown


def _item(fitting: _Fitting, id_: str, redact: Redact) -> EvidenceItem:
    draft = fitting.draft
    return EvidenceItem(
        id=id_,
        source=redact(draft.source),
        start=draft.start,
        end=draft.end,
        why=fitting.why,
        text=fitting.text(),
    )


def _count_within(costs: Sequence[int], tokens: int) -> int:
    count = 0
    for cost in costs:
        tokens -= cost
        if tokens < 0:
            break
        count += 1
    return count


def _cut_line(line: str, tokens: int) -> str:
    """The beginning of one line that is too long by itself."""
    room, cost = tokens - _NOTE, estimate_tokens(line)
    kept = max(0, len(line) * room // max(1, cost))
    while kept and estimate_tokens(line[:kept]) > room:
        kept = kept * 9 // 10
    return f"{line[:kept]}… {len(line) - kept:,} characters dropped" if kept else "…"
