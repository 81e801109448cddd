"""The architecture over several pages: what has no next page is not asked for again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autofix.errors import RailwayError

Ask = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Asks the architecture with these variables."""
_CONNECTIONS = {
    "services": "serviceInstances",
    "volumes": "volumeInstances",
    "triggers": "deploymentTriggers",
}


def read_pages(ask: Ask, page: int, pages: int, *, platform: bool) -> dict[str, Any]:
    """The first answer, with the items of all following pages in its connections.

    Args:
        ask: one request.
        page: items of a page.
        pages: most pages; RailwayError when there are more.
        platform: whether Railway's own status is asked for.
    """
    data = ask(_variables(page, dict.fromkeys(_CONNECTIONS), first=True, platform=platform))
    environment = data.get("environment") or {}
    cursors = _cursors(environment)
    for _ in range(pages - 1):
        if not cursors:
            return data
        more = ask(_variables(page, cursors, first=False, platform=False)).get("environment") or {}
        for name in cursors:
            environment[_CONNECTIONS[name]]["edges"] += _connection(more, name).get("edges") or []
        before, cursors = cursors, _cursors(more)
        if any(before.get(name) == cursor for name, cursor in cursors.items()):
            raise RailwayError("a page that leads to itself")
    if cursors:
        raise RailwayError(f"more than {pages} pages of {page} {', '.join(cursors)}")
    return data


def _variables(
    page: int, cursors: Mapping[str, str | None], *, first: bool, platform: bool
) -> dict[str, Any]:
    variables: dict[str, Any] = {"page": page, "first": first, "platform": platform}
    for name in _CONNECTIONS:
        variables |= {name: name in cursors, f"{name}After": cursors.get(name)}
    return variables


def _cursors(environment: Mapping[str, Any]) -> dict[str, str | None]:
    """Where each connection goes on, if it does."""
    found: dict[str, str | None] = {}
    for name in _CONNECTIONS:
        info = _connection(environment, name).get("pageInfo") or {}
        if info.get("hasNextPage") and info.get("endCursor"):
            found[name] = info["endCursor"]
    return found


def _connection(environment: Mapping[str, Any], name: str) -> dict[str, Any]:
    return environment.get(_CONNECTIONS[name]) or {}
