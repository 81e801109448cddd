"""The HTTP log by route: failing requests, slow ones, and enough of the rest to compare."""

from __future__ import annotations

from collections.abc import Iterable

from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case, Sourced
from autofix.investigate.facts import HttpFacts
from autofix.investigate.routes import SLOW_MS, build_facts, build_routes, render_routes
from autofix.models import Signal
from autofix.observe.wire import HttpLogLine

SOURCE = "http log"
PAGES = 10
_LIMIT = 1_500
_SHOWN = 60
_FAILING, _SLOW, _REFUSED = (
    "@httpStatus:>=500",
    f"@totalDuration:>={SLOW_MS}",
    "@httpStatus:400..499",
)


def read_http(case: Case) -> Sourced[HttpFacts]:
    """Requests of the window; nothing for a service without a domain."""
    if not case.service.domains:
        return Sourced()
    lines, full = _read(case)
    if not lines:
        draft = case.draft(SOURCE, "nothing was requested", "no requests in the window")
        return Sourced(HttpFacts(), (draft,))
    routes = build_routes(lines)
    rows = render_routes(routes[:_SHOWN])
    why = "requests by route: failing ones first, then slow ones"
    if full:
        why += f"; counts are of what was read, at most {_LIMIT:,} of each kind"
    draft = Draft(
        source=SOURCE,
        why=why,
        blocks=tuple(Block(text, count) for text, count in rows),
        start=min(line.at for line in lines),
        end=case.window.end,
        unit="requests",
        floor=4,
        turns=3,
        left_out=sum(route.count for route in routes[_SHOWN:]),
    )
    return Sourced(build_facts(lines), (draft,))


def _read(case: Case) -> tuple[list[HttpLogLine], bool]:
    """Each request once, and whether one of the requests for them was full."""
    filters = [_FAILING, _SLOW, ""]
    if any(f.signal is Signal.http_4xx for f in case.incident.findings):
        filters.insert(0, _REFUSED)
    found: dict[tuple[object, ...], HttpLogLine] = {}
    full, pages = False, 0
    for deployment in case.served(case.window):
        for filter_ in filters:
            if pages >= PAGES:
                break
            pages += 1
            lines = case.client.fetch_http_logs(
                deployment.id, case.window.start, case.window.end, limit=_LIMIT, filter_=filter_
            )
            full = full or len(lines) >= _LIMIT
            _keep(found, lines)
    return sorted(found.values(), key=lambda line: line.at), full


def _keep(found: dict[tuple[object, ...], HttpLogLine], lines: Iterable[HttpLogLine]) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for line in lines:
        key = (
            (line.request_id,)
            if line.request_id
            else (line.at, line.method, line.path, line.status)
        )
        # without an id two requests may look the same in each answer
        turn = 0 if line.request_id else seen.get(key, 0) + 1
        seen[key] = turn
        found.setdefault((*key, turn), line)
