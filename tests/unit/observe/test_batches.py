from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from autofix.errors import RailwayError
from autofix.observe.answers import QueryError, Refusal
from autofix.observe.batches import Batched, read_in_batches


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


class Side:
    """Answers ids; those in `bad` spoil their batch, named by alias or not."""

    def __init__(self, *bad: str, named: bool = True) -> None:
        self.bad, self.named = bad, named
        self.asked: list[list[str]] = []

    def __call__(self, batch: Sequence[str]) -> dict[str, str]:
        self.asked.append(list(batch))
        positions = [i for i, id_ in enumerate(batch) if id_ in self.bad]
        if positions:
            aliases = frozenset(f"statuses{i}" for i in positions) if self.named else frozenset()
            raise QueryError("broken", Refusal.failed, aliases=aliases, retryable=True)
        return {id_: id_.upper() for id_ in batch}


IDS = list("abcdefghij")


def test_a_named_alias_costs_two_more_requests(pool: ThreadPoolExecutor) -> None:
    """The batch without it, and it alone."""
    side = Side("c")
    read = read_in_batches(IDS, 10, side, pool)
    assert set(read.found) == set(IDS) - {"c"}
    assert read.failed == {"c": "Railway: broken"}
    assert len(side.asked) == 3


def test_an_unnamed_alias_is_found_by_halving(pool: ThreadPoolExecutor) -> None:
    """An answer that does not say who failed still costs only one service."""
    side = Side("c", named=False)
    read = read_in_batches(IDS, 10, side, pool)
    assert set(read.found) == set(IDS) - {"c"}
    assert list(read.failed) == ["c"]
    assert len(side.asked) <= 9


@pytest.mark.parametrize("named", [True, False])
def test_when_everything_fails_the_rest_is_not_asked_for(
    pool: ThreadPoolExecutor, named: bool
) -> None:
    """Two batches in vain are enough; everybody is said to be unread."""
    ids = [f"s{i}" for i in range(100)]
    side = Side(*ids, named=named)
    read = read_in_batches(ids, 10, side, pool)
    assert set(read.failed) == set(ids)
    assert read.failed["s99"] == "not asked for: Railway: broken"
    assert len(side.asked) <= 2 * 19


@pytest.mark.parametrize("refusal", [Refusal.denied, Refusal.invalid, Refusal.limited])
def test_a_refusal_of_the_whole_query_is_not_split(
    pool: ThreadPoolExecutor, refusal: Refusal
) -> None:
    """Asking each one would be refused alike."""
    asked = []

    def refuse(batch: Sequence[str]) -> dict[str, str]:
        asked.append(batch)
        raise QueryError("no", refusal)

    assert set(read_in_batches(IDS, 5, refuse, pool).failed) == set(IDS)
    assert len(asked) == 2


def test_no_answer_is_not_split(pool: ThreadPoolExecutor) -> None:
    """A dead line is dead for each of them."""
    asked = []

    def hang(batch: Sequence[str]) -> dict[str, str]:
        asked.append(batch)
        raise RailwayError("no answer in time", retryable=True)

    assert set(read_in_batches(IDS, 2, hang, pool).failed) == set(IDS)
    assert len(asked) == 2


def test_an_error_path_of_any_text_is_survived(pool: ThreadPoolExecutor) -> None:
    """The path comes from outside; one that is no alias of ours names nobody."""

    def odd(batch: Sequence[str]) -> dict[str, str]:
        if len(batch) > 1:
            raise QueryError("broken", Refusal.failed, aliases=frozenset({"x-1", "", "a999999999"}))
        return dict.fromkeys(batch, "read")

    assert read_in_batches("ab", 2, odd, pool) == Batched({"a": "read", "b": "read"})


def test_nothing_to_ask_asks_nothing(pool: ThreadPoolExecutor) -> None:
    """No ids, no requests."""
    side = Side()
    assert read_in_batches([], 10, side, pool) == Batched()
    assert not side.asked
