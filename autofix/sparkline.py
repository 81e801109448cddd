"""A line of blocks for a row of numbers; without pandas, which a fix does not need otherwise."""

from __future__ import annotations

_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "·"


def sparkline(values: list[float | None], top: float) -> str:
    """One block a value between zero and the top; a dot where nothing was measured."""
    return "".join(
        _GAP if v is None else _BLOCKS[round(min(1.0, max(0.0, v / top)) * 7) if top > 0 else 0]
        for v in values
    )
