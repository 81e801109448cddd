from __future__ import annotations

from typing import Any

from autofix.models import EvidenceItem
from autofix.plan.prompt import SYSTEM, render_prompt
from autofix.tokens import estimate_tokens


def _many(context: Any, count: int, text: str) -> Any:
    first = context.evidence[0].model_dump()
    items = tuple(
        EvidenceItem(**first | {"id": f"E{i}", "text": f"item {i}: {text}"})
        for i in range(1, count + 1)
    )
    return context.model_copy(update={"evidence": items})


def test_the_prompt_holds_architecture_summary_verdict_and_evidence(make_context: Any) -> None:
    """Everything the planner may use is there, the evidence inside fences that carry the nonce."""
    text = render_prompt(
        "acme/billing-api", "What runs.", [make_context()], nonce="f00d", max_tokens=12_000
    )
    for part in ("Repository: acme/billing-api", "What runs.", "### Service billing-api"):
        assert part in text
    assert "requests: 1,240 (200: 1,163, 500: 77)" in text
    assert "[E1] deployment log" in text
    assert text.count("f00d") == 6


def test_however_much_evidence_the_prompt_stays_within_its_cap(make_context: Any) -> None:
    """What does not fit is dropped from the end, and how much is said."""
    contexts = [_many(make_context(), 40, "x" * 2_000), _many(make_context("orders-web"), 3, "y")]
    text = render_prompt("acme/mono", "a" * 3_000, contexts, nonce="f00d", max_tokens=12_000)
    assert estimate_tokens(SYSTEM + text) <= 12_000
    assert "item 1:" in text
    assert "item 40:" not in text
    assert "item 3: y" in text, "the shorter list is not cut for the longer one"
    assert "evidence item(s) were left out" in text


def test_an_architecture_that_is_too_long_goes_before_the_findings(make_context: Any) -> None:
    """With nothing else left to drop, what runs around it is left out."""
    text = render_prompt(
        "acme/billing-api", "a" * 60_000, [make_context()], nonce="f00d", max_tokens=12_000
    )
    assert estimate_tokens(SYSTEM + text) <= 12_000
    assert "### Service billing-api" in text
