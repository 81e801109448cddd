"""Lines of code for a reader: with their numbers, marks at what matters, and no more than needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from autofix.investigate.code.functions import Source
from autofix.redact import cut

AROUND = 8
"""Lines before and after one that is marked, outside of any function."""
MOST = 44
"""Lines of one excerpt."""
_WIDTH = 160
_MARK = ">"


def excerpt(source: Source, start: int, end: int, marks: Collection[int] = ()) -> str:
    """Lines `start` to `end`; of a long part its beginning and what is around the marks."""
    start, end = max(1, start), min(len(source.lines), end)
    chosen = _choose(start, end, marks)
    width = len(str(end))
    rows: list[str] = []
    before = start - 1
    for number in chosen:
        if number != before + 1:
            rows.append(f"{'':>{width + 2}}… {number - before - 1} lines")
        sign = _MARK if number in marks else " "
        rows.append(f"{sign}{number:>{width}} | {_cut(source.lines[number - 1])}".rstrip())
        before = number
    if before < end:
        rows.append(f"{'':>{width + 2}}… {end - before} lines")
    return "\n".join(rows)


def _choose(start: int, end: int, marks: Iterable[int]) -> list[int]:
    if end - start < MOST:
        return list(range(start, end + 1))
    wanted = set(range(start, start + 6))
    inside = sorted(m for m in marks if start <= m <= end)
    reach = max(2, min(AROUND, (MOST - 6) // (2 * max(1, len(inside)))))
    for mark in inside or [start]:
        wanted |= set(range(max(start, mark - reach), min(end, mark + reach) + 1))
    return sorted(wanted)[:MOST]


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{cut(line, _WIDTH)}…"
