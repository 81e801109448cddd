"""A test case, as far as it can be weakened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Case(NamedTuple):
    """One test case."""

    name: str
    body: str
    assertions: int
    """That can fail: reached, not swallowed, not always true."""
    strong: int
    """Of these, how many compare with something exact."""
    escapes: int = 0
    """Ways out before the end: early returns, caught errors."""
    skips: int = 0
    """Marks that keep it from being run; zero where only the whole file can be counted."""


class Cases(NamedTuple):
    """The test cases of one file."""

    cases: tuple[Case, ...] = ()
    skips: int = 0
    """Marks in the whole file that keep something from being run."""
    truisms: int = 0
    """Assertions that are always true."""
    problem: str = ""
    """Why the file cannot be read as code; empty when it can."""


def merge(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Cases of the same name as one."""
    found: dict[str, Case] = {}
    for case in cases:
        before = found.get(case.name)
        found[case.name] = case if before is None else _add(before, case)
    return tuple(found.values())


def _add(one: Case, other: Case) -> Case:
    return Case(
        name=one.name,
        body=one.body + other.body,
        assertions=one.assertions + other.assertions,
        strong=one.strong + other.strong,
        escapes=one.escapes + other.escapes,
        skips=one.skips + other.skips,
    )
