"""Nothing to do: use that hurts nobody, and requests for what is not there."""

from __future__ import annotations

from autofix.investigate.facts import Facts
from autofix.investigate.rules.common import (
    USE,
    Cite,
    full_volume,
    is_full,
    listed,
    raise_memory,
    reasons,
    signals,
    suspect_deployment,
)
from autofix.models import Pattern, ServiceKind, Signal, Verdict, VerdictKind

_SCANNED = 0.8
"""Share of the refused requests on routes that answer nothing else, from which they are not ours."""


def database(facts: Facts, cite: Cite) -> Verdict | None:
    """A database's trouble is its callers' incident; alone it is for a person."""
    service = facts.incident.service
    if service.kind is not ServiceKind.database:
        return None
    callers = [p for p in facts.peers if p.is_caller and p.findings]
    if callers:
        names = "; ".join(f"{p.service.name} ({', '.join(p.how)})" for p in callers)
        return Verdict(
            kind=VerdictKind.insufficient_evidence,
            reason=f"its trouble belongs to the incident of the services that query it: {names}",
            action=f"look at the verdict on {listed(p.service.name for p in callers)}",
            evidence=cite("neighbours", "metrics"),
        )
    if verdict := full_volume(facts, cite):
        return verdict
    if signals(facts) <= USE:
        return Verdict(
            kind=VerdictKind.no_action,
            reason=f"{reasons(facts)}; no service that queries it suffers",
            action="nothing; a database that uses what it has is not in trouble by that",
            evidence=cite("metrics", "neighbours"),
        )
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason=f"{reasons(facts)}; it has no code of ours, and no service that queries it suffers",
        action=f"look at the log of {service.name} and at its own settings",
        evidence=cite("metrics", "deployment log"),
    )


def success(facts: Facts, cite: Cite) -> Verdict | None:
    """High use without any sign that somebody suffers."""
    findings = facts.incident.findings
    if not signals(facts) <= USE or any(f.pattern is Pattern.trend for f in findings):
        return None
    if any(is_full(f) for f in findings if f.signal is Signal.memory):
        return raise_memory(facts, cite, "the next peak ends the process")
    return Verdict(
        kind=VerdictKind.no_action,
        reason=f"no errors, no slow requests, no restarts: the service is only busy. {reasons(facts)}",
        action="nothing",
        evidence=cite("metrics"),
    )


def scanners(facts: Facts, cite: Cite) -> Verdict | None:
    """Requests for what is not there and never was."""
    http = facts.http
    if signals(facts) != {Signal.http_4xx} or http is None or not http.refused:
        return None
    share = http.refused_elsewhere / http.refused
    if share < _SCANNED or suspect_deployment(facts):
        return None
    return Verdict(
        kind=VerdictKind.no_action,
        reason=f"{share:.0%} of the refused requests are for routes that answer nothing else: "
        "somebody asks for what is not there",
        action="nothing; a rule at the edge keeps scanners away, if they cost too much",
        evidence=cite("http log"),
    )
