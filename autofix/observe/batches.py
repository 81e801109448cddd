"""Reads many services with few requests, and finds out which of them spoils a batch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from autofix.errors import RailwayError
from autofix.observe.answers import QueryError, Refusal

T = TypeVar("T")

Ask = Callable[[Sequence[str]], Mapping[str, T]]
"""Reads these ids with one request."""
_UNSPLIT = frozenset({Refusal.denied, Refusal.invalid, Refusal.limited})
_BATCHES_LOST = 2
_POSITION = re.compile(r"[a-z]+(\d{1,4})", re.IGNORECASE)


@dataclass(frozen=True)
class Batched(Generic[T]):
    """What was read by id, and why the others could not be."""

    found: Mapping[str, T] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


def read_in_batches(ids: Iterable[str], size: int, ask: Ask[T], pool: Executor) -> Batched[T]:
    """Ask for the ids in batches, some at the same time.

    One failing alias nulls a whole answer. Its batch is then asked for again without it, and it
    alone; where the answer does not say which one failed, the batch is halved. When two batches
    gave nothing at all, the rest is not asked for: every service would wait and fail alike.

    Args:
        ids: what is asked for.
        size: ids a request.
        ask: one request; its `QueryError` names failing aliases that end in the id's position.
        pool: carries the requests.
    """
    unique = list(dict.fromkeys(ids))
    batches = [unique[i : i + size] for i in range(0, len(unique), size)]
    lost: list[str] = []

    def read(batch: Sequence[str]) -> Batched[T]:
        if len(lost) >= _BATCHES_LOST:
            return Batched(failed=dict.fromkeys(batch, f"not asked for: {lost[0]}"))
        try:
            answer = _read(batch, ask)
        except RailwayError as error:
            answer = Batched(failed=dict.fromkeys(batch, str(error)))
        if not answer.found and len(batch) > 1:
            lost.append(next(iter(answer.failed.values())))
        return answer

    return _join(pool.map(read, batches))


def _read(batch: Sequence[str], ask: Ask[T]) -> Batched[T]:
    """The batch, split where only a part of it fails; RailwayError when nobody answers."""
    try:
        return Batched(ask(batch))
    except QueryError as error:
        if len(batch) == 1 or (error.refusal in _UNSPLIT and not error.aliases):
            return Batched(failed=dict.fromkeys(batch, str(error)))
        return _join(_read(part, ask) for part in _split(batch, error))


def _split(batch: Sequence[str], error: QueryError) -> list[Sequence[str]]:
    positions = {int(found[1]) for a in error.aliases if (found := _POSITION.fullmatch(a))}
    named = [service for i, service in enumerate(batch) if i in positions]
    rest = [service for i, service in enumerate(batch) if i not in positions]
    if named:
        return [part for part in (rest, *([service] for service in named)) if part]
    half = len(batch) // 2
    return [batch[:half], batch[half:]]


def _join(parts: Iterable[Batched[T]]) -> Batched[T]:
    found: dict[str, T] = {}
    failed: dict[str, str] = {}
    for part in parts:
        found |= part.found
        failed |= part.failed
    return Batched(found, failed)
