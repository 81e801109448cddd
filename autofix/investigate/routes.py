"""Requests by route: which fail, and which are slow."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autofix.investigate.facts import HttpFacts, RouteFacts
from autofix.observe.wire import HttpLogLine
from autofix.redact import cut

SLOW_MS = 1_000
"""A route whose median is above this is named before the others."""
WORST = 6
"""Routes whose code is worth looking at."""
_SEGMENT = re.compile(r"^(?:\d.*|[0-9a-f]{8,}|[0-9a-f-]{32,}|.*\d{3,}.*|.{41,})$", re.IGNORECASE)
_BAD_REQUEST, _ERROR = 400, 500
_SEGMENTS = 8
ID = "{id}"


@dataclass(frozen=True)
class Route:
    """Requests of one method, path template and status."""

    method: str
    path: str
    status: int
    count: int
    p50_ms: float
    max_ms: float
    app_p50_ms: float | None
    """Time in the application as the edge measured it; None where it says nothing."""
    details: str = ""
    """What the edge says of an application that did not answer."""


def build_routes(lines: Iterable[HttpLogLine]) -> list[Route]:
    """Routes, failing ones first, then slow ones, each by count."""
    groups: dict[tuple[str, str, int], list[HttpLogLine]] = {}
    for line in lines:
        groups.setdefault((line.method, mask_path(line.path), line.status), []).append(line)
    return sorted((_route(key, group) for key, group in groups.items()), key=_rank)


def build_facts(lines: Iterable[HttpLogLine]) -> HttpFacts:
    """What the requests come down to."""
    groups: dict[tuple[str, str], list[HttpLogLine]] = {}
    for line in lines:
        groups.setdefault((line.method, mask_path(line.path)), []).append(line)
    routes = [_facts(key, group) for key, group in groups.items()]
    bad = [r for r in routes if r.failed or r.p50_ms >= SLOW_MS]
    worst = sorted(bad, key=lambda r: (-r.failed, -r.p50_ms * r.count, r.path, r.method))
    return HttpFacts(
        worst=tuple(worst[:WORST]),
        refused=sum(r.refused for r in routes),
        refused_elsewhere=sum(r.refused for r in routes if not (r.answered or r.failed)),
    )


def mask_path(path: str) -> str:
    """The path with ids masked and without its query, which may hold what is nobody's business."""
    parts = path.split("?", 1)[0].split("#", 1)[0].split("/")
    masked = [ID if _SEGMENT.match(part) else part for part in parts[: _SEGMENTS + 1]]
    return "/".join(masked) + ("/…" if len(parts) > _SEGMENTS + 1 else "")


def render_routes(routes: Sequence[Route]) -> list[tuple[str, int]]:
    """A line and a count for each route; the first line names the columns."""
    head = "status  count   p50 ms   max ms   app p50 ms  route"
    rows = [(_line(route), route.count) for route in routes]
    return [(f"{head}\n{rows[0][0]}", rows[0][1]), *rows[1:]] if rows else []


def _line(route: Route) -> str:
    app = "-" if route.app_p50_ms is None else f"{route.app_p50_ms:.0f}"
    details = f"  ({route.details})" if route.details else ""
    return (
        f"{route.status:<6}  {route.count:>5}  {route.p50_ms:>7.0f}  {route.max_ms:>7.0f}  {app:>11}"
        f"  {route.method} {route.path}{details}"
    )


def _route(key: tuple[str, str, int], lines: list[HttpLogLine]) -> Route:
    method, path, status = key
    app = [line.app_ms for line in lines if line.app_ms is not None]
    details = Counter(line.details for line in lines if line.details)
    return Route(
        method=method,
        path=path,
        status=status,
        count=len(lines),
        p50_ms=statistics.median(line.total_ms for line in lines),
        max_ms=max(line.total_ms for line in lines),
        app_p50_ms=statistics.median(app) if app else None,
        details=cut(details.most_common(1)[0][0], 120) if details else "",
    )


def _facts(key: tuple[str, str], lines: list[HttpLogLine]) -> RouteFacts:
    method, path = key
    failed = sum(line.status >= _ERROR for line in lines)
    refused = sum(_BAD_REQUEST <= line.status < _ERROR for line in lines)
    return RouteFacts(
        method=method,
        path=path,
        count=len(lines),
        failed=failed,
        refused=refused,
        answered=len(lines) - failed - refused,
        p50_ms=statistics.median(line.total_ms for line in lines),
    )


def _rank(route: Route) -> tuple[bool, bool, int, str, str, int]:
    failing, slow = route.status >= _ERROR, route.p50_ms >= SLOW_MS
    return not failing, not slow, -route.count, route.path, route.method, route.status
