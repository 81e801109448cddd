from __future__ import annotations

from typing import Any

import pytest

from autofix.models import EvidenceItem, FixPlan
from autofix.plan.prompt import FIXED_TOKENS, SYSTEM, render_objections, render_prompt
from autofix.tokens import estimate_tokens
from tests.unit.test_tokens import KINDS, count_tokens

CAP = 12_000


def _many(context: Any, count: int, text: str) -> Any:
    first = context.evidence[0].model_dump()
    items = tuple(
        EvidenceItem(**first | {"id": f"E{i}", "text": f"item {i}: {text}"})
        for i in range(1, count + 1)
    )
    return context.model_copy(update={"evidence": items})


def render(contexts: list[Any], architecture: str = "What runs.") -> str:
    return render_prompt("acme/mono", architecture, contexts, nonce="f00d", max_tokens=CAP)


def test_the_prompt_holds_architecture_summary_verdict_and_evidence(make_context: Any) -> None:
    """Everything the planner may use is there, the evidence inside fences that carry the nonce."""
    text = render([make_context()])
    for part in ("Repository: acme/mono", "What runs.", "### Service billing-api"):
        assert part in text
    assert "requests: 1,240 (200: 1,163, 500: 77)" in text
    assert "[E1] deployment log" in text
    assert text.count("f00d") == 6


@pytest.mark.parametrize(
    "kind", ["log", "hex", "base64", "table", "trace", "chinese", "emoji", "marks"]
)
def test_a_prompt_needs_no_more_than_its_tokens_whatever_is_in_it(
    make_context: Any, kind: str
) -> None:
    """By a real tokenizer, with the system text and the form of the answer."""
    contexts = [_many(make_context(f"svc-{n}"), 12, KINDS[kind][:6_000]) for n in range(3)]
    text = render(contexts, KINDS["prose"] * 9)
    (system, prompt, form) = count_tokens([SYSTEM, text, str(FixPlan.model_json_schema())])
    assert system + prompt + form <= CAP
    assert FIXED_TOKENS + estimate_tokens(text) <= CAP
    assert all(f"item {n}: " in text for n in range(1, 13)), "each item keeps its beginning"


def test_decisive_lines_survive_any_volume(make_context: Any) -> None:
    """They stand first in their items; thirty services share one prompt."""
    noise = "\n".join(f"noise {n} and more of it" for n in range(400))
    contexts = [_many(make_context(f"svc-{n}"), 3, f"decisive {n}\n{noise}") for n in range(30)]
    text = render(contexts)
    assert all(f"decisive {n}\n" in text for n in range(30))
    assert "lines dropped" in text


def test_items_are_left_out_from_the_end_when_there_are_too_many(make_context: Any) -> None:
    """A hundred services with fifteen items each: the first ones stay, and how many went is said."""
    contexts = [_many(make_context(f"svc-{n}"), 15, "x " * 300) for n in range(100)]
    text = render(contexts)
    assert FIXED_TOKENS + estimate_tokens(text) <= CAP
    assert "evidence item(s) were left out" in text


def test_an_architecture_that_is_too_long_is_cut_before_the_evidence(make_context: Any) -> None:
    """What runs around it is worth less than what went wrong."""
    item = "y " * 3_000
    text = render([_many(make_context(), 1, item)], "a service\n" * 20_000)
    assert "a service\n" in text
    assert "item 1: " in text
    assert "lines dropped" in text
    assert FIXED_TOKENS + estimate_tokens(text) <= CAP


def test_objections_are_one_line_each() -> None:
    """What the model wrote cannot make a second list."""
    text = render_objections(["a file\n- b is outside", "no cause"])
    assert "- a file - b is outside\n- no cause\n" in text
    assert "insufficient_evidence" in text
