"""What a check says, and how a check that goes wrong is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from autofix.errors import AutofixError
from autofix.models import Model


class Check(Model):
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    """What was seen."""
    todo: str = ""
    """What to do; empty when it is right."""


def passed(name: str, detail: str) -> Check:
    """It is right."""
    return Check(name=name, ok=True, detail=detail)


def failed(name: str, detail: str, todo: str) -> Check:
    """It is not right, and what to do about it."""
    return Check(name=name, ok=False, detail=detail, todo=todo)


def guarded(name: str, todo: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks of a look; an error of the other side is one more check that failed."""
    try:
        yield from look()
    except AutofixError as error:
        yield failed(name, " ".join(str(error).split()), todo)
