"""The HTTP log by route: which requests fail, and which are slow."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from autofix.observe.wire import HttpLogLine

SLOW_MS = 1_000
"""A route whose median is above this is named before the others."""
_SEGMENT = re.compile(r"^(?:\d.*|[0-9a-f]{8,}|[0-9a-f-]{32,}|.*\d{3,}.*|.{41,})$", re.IGNORECASE)
_ERROR = 500
_SEGMENTS = 8


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


def build_routes(lines: Iterable[HttpLogLine]) -> list[Route]:
    """Routes, failing ones first, then slow ones, each by count."""
    groups: dict[tuple[str, str, int], list[HttpLogLine]] = {}
    for line in lines:
        groups.setdefault((line.method, mask_path(line.path), line.status), []).append(line)
    routes = [_route(key, group) for key, group in groups.items()]
    return sorted(routes, key=_rank)


def mask_path(path: str) -> str:
    """The path with ids masked and without its query, which may hold what is nobody's business."""
    parts = path.split("?", 1)[0].split("#", 1)[0].split("/")
    masked = ["{id}" if _SEGMENT.match(part) else part for part in parts[: _SEGMENTS + 1]]
    return "/".join(masked) + ("/…" if len(parts) > _SEGMENTS + 1 else "")


def render_routes(routes: Iterable[Route], limit: int = 15) -> str:
    """A table, one line a route."""
    rows = list(routes)
    lines = ["status  count   p50 ms   max ms   app p50 ms  route"]
    for r in rows[:limit]:
        app = "-" if r.app_p50_ms is None else f"{r.app_p50_ms:.0f}"
        lines.append(
            f"{r.status:<6}  {r.count:>5}  {r.p50_ms:>7.0f}  {r.max_ms:>7.0f}  {app:>11}"
            f"  {r.method} {r.path}"
        )
    if len(rows) > limit:
        lines.append(f"and {len(rows) - limit} more routes")
    return "\n".join(lines)


def _route(key: tuple[str, str, int], lines: list[HttpLogLine]) -> Route:
    method, path, status = key
    app = [line.app_ms for line in lines if line.app_ms is not None]
    return Route(
        method=method,
        path=path,
        status=status,
        count=len(lines),
        p50_ms=statistics.median(line.total_ms for line in lines),
        max_ms=max(line.total_ms for line in lines),
        app_p50_ms=statistics.median(app) if app else None,
    )


def _rank(route: Route) -> tuple[bool, bool, int, str, str, int]:
    failing, slow = route.status >= _ERROR, route.p50_ms >= SLOW_MS
    return not failing, not slow, -route.count, route.path, route.method, route.status
