"""Failing look-ups, dropped flows, and whom the service talks to. Newer schemas alone have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case, Sourced
from autofix.observe.details import DnsLine, FlowLine

DNS, FLOWS = "dns", "flows"
_LIMIT = 1_000
_SHOWN = 25


@dataclass(frozen=True)
class DnsFacts:
    """Names that were looked up outside the project."""

    names: frozenset[str] = frozenset()
    failed: Mapping[str, int] = field(default_factory=dict)
    """Failed look-ups by name."""


@dataclass(frozen=True)
class FlowFacts:
    """Whom it talks to."""

    peers: frozenset[str] = frozenset()
    """Ids of services it sends to."""
    callers: frozenset[str] = frozenset()
    """Ids of services that send to it."""
    dropped: int = 0


def read_dns(case: Case) -> Sourced[DnsFacts]:
    """Failed look-ups around the onset, and the names outside the project that it asked for."""
    failed, asked = case.client.fetch_dns_log(
        case.service.id, case.window, case.span.start, limit=_LIMIT
    )
    failed = [line for line in failed if line.has_failed]
    counts = Counter(_name(line) for line in failed if line.at >= case.onset)
    names = frozenset(_name(line) for line in asked if _name(line))
    rows = _lookup_rows(failed)
    if not rows and not names:
        return Sourced(DnsFacts(names, dict(counts)))
    others = ", ".join(sorted(names)[:_SHOWN])
    draft = Draft(
        source=DNS,
        why="look-ups that failed" if rows else "no look-up failed; names it asked for outside",
        blocks=tuple(rows)
        + ((Block(f"looked up outside the project: {others}"),) if others else ()),
        start=case.span.start,
        end=case.window.end,
        unit="look-ups",
        floor=3,
    )
    return Sourced(DnsFacts(names, dict(counts)), (draft,))


def read_flows(case: Case) -> Sourced[FlowFacts]:
    """Dropped packets around the onset, and the services that it sends to."""
    dropped, flows = case.client.fetch_flow_log(
        case.service.id, case.window, case.span.start, limit=_LIMIT
    )
    dropped = [flow for flow in dropped if flow.drop_cause]
    facts = FlowFacts(
        peers=frozenset(f.peer_service for f in flows if f.peer_service and _is_sent(f)),
        callers=frozenset(f.peer_service for f in flows if f.peer_service and not _is_sent(f)),
        dropped=sum(flow.at >= case.onset for flow in dropped),
    )
    names = {s.id: s.name for s in case.architecture.services}
    blocks = [*_drop_rows(dropped, names), *_peer_rows(flows, names)]
    if not blocks:
        return Sourced(facts)
    draft = Draft(
        source=FLOWS,
        why="packets that were dropped, and whom it talks to" if dropped else "whom it talks to",
        blocks=tuple(blocks[:_SHOWN]),
        start=case.span.start,
        end=case.window.end,
        unit="flows",
        floor=3,
        left_out=sum(block.count for block in blocks[_SHOWN:]),
    )
    return Sourced(facts, (draft,))


def _lookup_rows(failed: Sequence[DnsLine]) -> list[Block]:
    groups: dict[tuple[str, str], list[DnsLine]] = {}
    for line in failed:
        groups.setdefault((_name(line), line.code), []).append(line)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        Block(
            f"×{len(lines):,} {name} {code}, {lines[0].at:%H:%M:%S} to {lines[-1].at:%H:%M:%S}",
            len(lines),
        )
        for (name, code), lines in ordered[:_SHOWN]
    ]


def _drop_rows(dropped: Iterable[FlowLine], names: dict[str, str]) -> list[Block]:
    counts = Counter((_peer(flow, names), flow.drop_cause or "") for flow in dropped)
    return [
        Block(f"×{n:,} dropped to {peer}: {cause}", n) for (peer, cause), n in counts.most_common()
    ]


def _peer_rows(flows: Iterable[FlowLine], names: dict[str, str]) -> list[Block]:
    groups: dict[str, list[FlowLine]] = {}
    for flow in flows:
        if _is_sent(flow):
            groups.setdefault(_peer(flow, names), []).append(flow)
    rows = []
    for peer, of_peer in sorted(groups.items(), key=lambda item: -len(item[1])):
        slow = max((f.latency_ms or 0.0) for f in of_peer)
        sent = sum(f.bytes for f in of_peer)
        rows.append(
            Block(f"×{len(of_peer):,} to {peer}: {sent:,} bytes, up to {slow:.0f} ms", len(of_peer))
        )
    return rows


def _is_sent(flow: FlowLine) -> bool:
    return flow.direction != "ingress"


def _peer(flow: FlowLine, names: dict[str, str]) -> str:
    if flow.peer_service:
        return f"service {names.get(flow.peer_service, flow.peer_service)}"
    return f"{flow.peer_kind or 'unknown'} port {flow.port}"


def _name(line: DnsLine) -> str:
    return line.name.rstrip(".").lower()
