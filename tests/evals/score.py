"""What a model is measured by, and how it is written down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

EXPECTED = {
    "catalog-api": ("code_fix", "app.py"),
    "orders-web": ("code_fix", "app.py"),
    "billing-api": ("code_fix", "app.py"),
    "checkout-api": ("wait_upstream", None),
    "search-api": ("no_action", None),
    "image-resizer": (None, None),
}
"""Verdict, and the file a fix must change; a service that nothing is found of has neither."""
HEADER = (
    "| date | planner, agent | service | verdict | file | tests | fault gone | tokens | cost |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
)
_VERDICT = re.compile(r"^Verdict: (\w+):", re.MULTILINE)


@dataclass(frozen=True)
class Score:
    """How one scenario went; None where a question does not arise."""

    service: str
    verdict: str | None
    changed: tuple[str, ...] | None = None
    """Files its pull request changes; None without a pull request."""
    tests_pass: bool | None = None
    is_cured: bool | None = None
    tokens: int = 0
    cost: float | None = None

    @property
    def verdict_is_right(self) -> bool:
        """Whether it is the expected one."""
        return self.verdict == EXPECTED[self.service][0]

    @property
    def file_is_right(self) -> bool:
        """Whether the right file is changed, and nothing where nothing is to be changed."""
        file = EXPECTED[self.service][1]
        return self.changed is None if file is None else file in (self.changed or ())

    @property
    def is_right(self) -> bool:
        """All of it."""
        return (
            self.verdict_is_right
            and self.file_is_right
            and self.tests_pass is not False
            and self.is_cured is not False
        )


def read_verdict(context: str | None) -> str | None:
    """The verdict in an artifact of a service's context; None when there is none."""
    found = _VERDICT.search(context or "")
    return found[1] if found else None


def render_scores(scores: Sequence[Score], models: str, date: str) -> str:
    """The rows of the table in docs/evals.md."""
    return "\n".join([*HEADER, *(_row(score, models, date) for score in scores)])


def _row(score: Score, models: str, date: str) -> str:
    verdict = f"{score.verdict or 'none'}{'' if score.verdict_is_right else ' ✗'}"
    file = ", ".join(score.changed) if score.changed is not None else "none"
    cells = (
        date,
        models,
        score.service,
        verdict,
        f"{file}{'' if score.file_is_right else ' ✗'}",
        _said(score.tests_pass),
        _said(score.is_cured),
        f"{score.tokens:,}" if score.tokens else "–",
        "–" if score.cost is None else f"${score.cost:.3f}",
    )
    return f"| {' | '.join(cells)} |"


def _said(holds: bool | None) -> str:
    return "–" if holds is None else "yes" if holds else "no ✗"
