"""Who else is affected since the same time, and who talks to whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from autofix.investigate.budget import Block, Draft
from autofix.investigate.case import Case
from autofix.investigate.facts import Peer
from autofix.investigate.sources.network import FlowFacts
from autofix.models import Finding, Service, ServiceKind, Signal
from autofix.observe.details import VariableName

SOURCE = "neighbours"
_SAME_TIME = timedelta(minutes=5)
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_WAITS = frozenset({Signal.latency, Signal.http_5xx})
_SHOWN = 12
_Variables = Mapping[str, Sequence[VariableName]]


def find_neighbours(case: Case) -> tuple[Finding, ...]:
    """Findings of other services that began about when this incident did."""
    near = max(_SAME_TIME, 2 * case.view.observation.step)
    return tuple(
        f
        for f in case.findings
        if f.service_id != case.service.id and abs(f.onset - case.onset) <= near
    )


def find_peers(case: Case, flows: FlowFacts | None, at_limit: frozenset[str]) -> tuple[Peer, ...]:
    """Services that it talks to and databases' callers, each with how that is known.

    Flows and references of variables show it. Where neither does, a database that is in trouble
    since the same time as a service that waits is said to be known by that alone.

    Args:
        case: the affected service.
        flows: whom it sends to and who sends to it; None where that could not be read.
        at_limit: ids of services whose CPU is at its limit.
    """
    variables = _variables(case)
    sent_to, received_from = (flows.peers, flows.callers) if flows else (frozenset(), frozenset())
    of_other: dict[str, list[Finding]] = {}
    for finding in case.findings:
        of_other.setdefault(finding.service_id, []).append(finding)
    peers = []
    for other in _others(case):
        found = tuple(of_other.get(other.id, ()))
        ways = [
            *_reference(case.service, other, variables),
            *(["flows between them"] if other.id in sent_to else []),
        ]
        by_time = _same_trouble(case, other, found, full=other.id in at_limit)
        if by_time and _has_known_callers(case, other, variables, sent_to | received_from):
            by_time = []
        callers = [
            *_reference(other, case.service, variables),
            *(["flows between them"] if other.id in received_from else []),
        ]
        if how := ways or callers or by_time:
            peers.append(
                Peer(
                    service=other,
                    how=tuple(how),
                    findings=found,
                    at_limit=other.id in at_limit,
                    is_caller=not ways
                    and (bool(callers) or case.service.kind is ServiceKind.database),
                )
            )
    return tuple(peers)


def draft_peers(case: Case, peers: Sequence[Peer], neighbours: Iterable[Finding]) -> Draft | None:
    """Both as one draft; None when there is nothing to tell."""
    blocks = [Block(_peer_text(peer)) for peer in peers]
    known = {peer.service.id for peer in peers}
    blocks += [
        Block(f"affected since the same time: {f.service} {f.signal.value}: {f.reason}")
        for f in neighbours
        if f.service_id not in known
    ]
    if not blocks:
        return None
    return Draft(
        source=SOURCE,
        why="whom it talks to, and who is affected since the same time",
        blocks=tuple(blocks[:_SHOWN]),
        start=case.window.start,
        end=case.window.end,
        unit="services",
        floor=3,
        left_out=max(0, len(blocks) - _SHOWN),
    )


def _peer_text(peer: Peer) -> str:
    verb = "is called by" if peer.is_caller else "talks to"
    text = f"{verb} {peer.service.name} ({peer.service.kind.value}), known by {'; '.join(peer.how)}"
    if peer.at_limit:
        text += "; its CPU is at its limit"
    for finding in peer.findings[:3]:
        text += f"\n  {finding.severity.value} {finding.signal.value}: {finding.reason}"
    return text


def _others(case: Case) -> list[Service]:
    return [s for s in case.architecture.services if s.id != case.service.id]


def _variables(case: Case) -> _Variables:
    """By service, those whose values are made of something else."""
    by_service: dict[str, list[VariableName]] = {}
    for variable in case.scene.variables:
        if variable.service_id and variable.references:
            by_service.setdefault(variable.service_id, []).append(variable)
    return by_service


def _reference(of: Service, to: Service, variables: _Variables) -> list[str]:
    """Variables of one service whose values are made of another's."""
    own = variables.get(of.id, ())
    names = sorted({v.name for v in own if any(_names(ref, to) for ref in v.references)})
    if not names:
        return []
    return [f"variable {', '.join(names[:4])} refers to it"]


def _names(reference: str, service: Service) -> bool:
    if service.id in reference:
        return True
    first = _TOKEN.search(reference.replace("${{", " "))
    return first is not None and first[0].lower() == service.name.lower()


def _has_known_callers(
    case: Case, other: Service, variables: _Variables, talking: frozenset[str]
) -> bool:
    """Whether it is known by more than time who queries the database of the two."""
    database = case.service if case.service.kind is ServiceKind.database else other
    return bool(talking) or any(
        _reference(service, database, variables)
        for service in case.architecture.services
        if service.id != database.id
    )


def _same_trouble(case: Case, other: Service, found: Sequence[Finding], *, full: bool) -> list[str]:
    """A database in trouble and a service that waits, since the same time."""
    pair = {case.service.kind, other.kind}
    if ServiceKind.database not in pair or pair == {ServiceKind.database}:
        return []
    own = {f.signal for f in case.incident.findings}
    waits = own if case.service.kind is not ServiceKind.database else {f.signal for f in found}
    if not waits & _WAITS:
        return []
    near = max(_SAME_TIME, 2 * case.view.observation.step)
    together = any(abs(f.onset - case.onset) <= near for f in found)
    if together or (full and other.kind is ServiceKind.database):
        return ["its trouble at the same time, and nothing else"]
    return []
