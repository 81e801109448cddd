"""docs/verdicts.md, made of situations and the verdicts that they got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autofix.models import Verdict, VerdictKind
from tests.support.situations.table import Situation

_ORDER = (
    VerdictKind.code_fix,
    VerdictKind.rollback,
    VerdictKind.wait_upstream,
    VerdictKind.raise_limit,
    VerdictKind.scale_replicas,
    VerdictKind.no_action,
    VerdictKind.insufficient_evidence,
)
_MEANS = {
    VerdictKind.code_fix: "The only one that goes on: a plan, an agent, a draft pull request.",
    VerdictKind.rollback: "It changed right after a deployment, and the one before was fine.",
    VerdictKind.wait_upstream: "Its own errors or look-ups name a provider that says it is in trouble, or "
    "Railway itself is.",
    VerdictKind.raise_limit: "It needs more memory, CPU or disk, and how much is said.",
    VerdictKind.scale_replicas: "It is asked more than usual, its CPU is at its limit, and nothing else "
    "explains it.",
    VerdictKind.no_action: "Use is high and nothing suffers, or somebody asks for what is not there.",
    VerdictKind.insufficient_evidence: "It cannot be decided, or cannot be fixed from here; the reason "
    "says which, and what to do.",
}
_INTRO = """# Verdicts

What an incident calls for is settled by rules in code, in a fixed order, before a model is asked. They rest
on typed facts: findings with their own normal, deployments and what they changed, providers' incidents,
limits, traffic, who queries which database, what the branch's head has changed. No text of the telemetry
can choose a verdict. The model may lower one to `insufficient_evidence` and never raise it.

Each row below was made by a test run: telemetry was answered over Railway's API, the forge's and status
pages', read, judged and gathered by the product's own code. A near miss stands under the verdict that it only
looks like. `WRITE_DOCS=1 pytest tests/unit/investigate/test_situations.py` writes this page; the same
test without it fails when the page is not what comes out.
"""
_CUT = 230


def render_page(situations: Sequence[Situation], verdicts: Mapping[str, Verdict]) -> str:
    """The whole page."""
    parts = [_INTRO]
    for kind in _ORDER:
        got = [s for s in situations if s.expected is kind and s.misses is None]
        missed = [s for s in situations if s.misses is kind]
        parts += [f"## {kind.value}\n", f"{_MEANS[kind]}\n", *_table(got, verdicts)]
        if missed:
            parts += ["\nNear misses:\n", *_table(missed, verdicts)]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _table(situations: Sequence[Situation], verdicts: Mapping[str, Verdict]) -> list[str]:
    rows = ["| what is seen | verdict | why | to do |", "| --- | --- | --- | --- |"]
    for one in situations:
        verdict = verdicts[one.name]
        cells = (
            one.seen,
            f"`{verdict.kind.value}`",
            verdict.reason,
            verdict.action or "goes on by itself",
        )
        rows.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return rows


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= _CUT else f"{line[:_CUT]}…"
