from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofix.investigate.budget import (
    BLOCK_TOKENS,
    Block,
    Draft,
    fit,
    shorten_text,
    text_block,
)
from autofix.tokens import estimate_tokens

AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


def draft(source: str, *blocks: str, **fields: int) -> Draft:
    return Draft(source, "why", tuple(Block(b, 10) for b in blocks), AT, AT, **fields)


def same(text: str) -> str:
    return text


def test_all_of_it_is_kept_where_it_fits() -> None:
    """Ids run in the order of the drafts, and nothing is said to be left out."""
    items = fit([draft("a", "one", "two"), draft("b"), draft("c", "three")], same, first_id=4)
    assert [(i.id, i.source, i.text) for i in items] == [
        ("E4", "a", "one\ntwo"),
        ("E5", "c", "three"),
    ]


def test_first_blocks_survive_any_volume_and_the_rest_is_counted() -> None:
    """A thousand long blocks of one source take nothing from the first one of another."""
    flood = draft("flood", *(f"noise {n} " * 40 for n in range(1_000)))
    late = draft("late", "the decisive line")
    first, last = fit([flood, late], same, 3_000)
    assert last.text == "the decisive line"
    kept = first.text.count("\n")
    assert first.text.endswith(f"… left out: {1_000 - kept:,} more, {(1_000 - kept) * 10:,} lines")
    assert kept > 5, "what is left of the budget is used"


def test_a_floor_keeps_several_blocks() -> None:
    """Two drafts that cannot both have all: each has its floor before one has more."""
    one = draft("one", *(f"{n} " + "x " * 300 for n in range(9)), floor=1)
    two = draft("two", *(f"{n} " + "y " * 300 for n in range(9)), floor=3)
    items = fit([one, two], same, 1_400)
    assert [i.text.count("\n") for i in items] == [1, 3]


def test_every_text_goes_through_the_door() -> None:
    """Source, reason and blocks; and what the door makes longer is measured afterwards."""
    drafts = [Draft("s3cret", "s3cret", (Block("a s3cret"), Block("s3cret b")), AT, AT)]
    items = fit(drafts, lambda text: text.replace("s3cret", "«secret»"))
    assert items[0].model_dump_json().count("«secret»") == 4
    assert "s3cret" not in items[0].model_dump_json()


def test_a_block_that_is_too_long_keeps_both_ends() -> None:
    """The exception may stand at either end of a trace."""
    text = "\n".join(
        ["KeyError first", *(f"  at frame {n} of many" for n in range(900)), "last word"]
    )
    (item,) = fit([Draft("log", "", text_block(text), AT, AT)], same)
    assert estimate_tokens(item.text) <= BLOCK_TOKENS
    assert item.text.startswith("KeyError first\n")
    assert item.text.endswith("\nlast word")
    assert "lines dropped" in item.text


@given(
    st.lists(st.lists(st.text(max_size=80), max_size=6), max_size=6),
    st.integers(min_value=0, max_value=600),
)
def test_the_budget_holds_for_any_text(texts: list[list[str]], tokens: int) -> None:
    """Items cost no more than the budget, whatever is in them."""
    items = fit([draft(f"s{n}", *blocks) for n, blocks in enumerate(texts)], same, tokens)
    assert sum(estimate_tokens(i.text) + estimate_tokens(i.why) for i in items) <= max(0, tokens)


@given(st.text(), st.integers(min_value=14, max_value=200))
def test_a_shortened_text_is_within_its_tokens(text: str, tokens: int) -> None:
    """Whatever stands in it: many lines, one line, none."""
    assert estimate_tokens(shorten_text(text, tokens)) <= tokens


@pytest.mark.parametrize("text", ["", " \n ", "\n"])
def test_an_empty_text_makes_no_item(text: str) -> None:
    """What has nothing to say has no id."""
    assert fit([Draft("a", "b", (Block(text),), AT, AT)], same) == ()
