"""What kind of answer the evidence supports: plain rules, each with its reason.

Only typed facts decide. No text of the telemetry can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autofix.investigate.case import MISSING
from autofix.investigate.facts import Facts
from autofix.models import EvidenceItem, ServiceKind, Signal, Verdict, VerdictKind

_LEVELS = frozenset({Signal.cpu, Signal.memory})
"""High use alone: maybe the service is just successful."""
_DECISIVE = frozenset({"findings", "deployment log", "build log", "http log", "code", "cron runs"})

Rule = Callable[[Facts, Sequence[EvidenceItem]], Verdict | None]


def judge(facts: Facts, evidence: Sequence[EvidenceItem]) -> Verdict:
    """The first rule that has an answer; a fix in code when none objects."""
    for rule in _RULES:
        verdict = rule(facts, evidence)
        if verdict is not None:
            return verdict
    return _code_fix(facts, evidence)


def _database(facts: Facts, evidence: Sequence[EvidenceItem]) -> Verdict | None:
    if facts.incident.service.kind is not ServiceKind.database:
        return None
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason="a database: its resources are judged with the services that query it",
        evidence=_cited(evidence, {"findings"}),
    )


def _level_only(facts: Facts, evidence: Sequence[EvidenceItem]) -> Verdict | None:
    if not {f.signal for f in facts.incident.findings} <= _LEVELS:
        return None
    reasons = "; ".join(f.reason for f in facts.incident.findings)
    return Verdict(
        kind=VerdictKind.no_action,
        reason=f"use is high, nothing suffers: no errors, no slow requests, no restarts. {reasons}",
        evidence=_cited(evidence, {"findings", "metrics"}),
    )


def _no_repository(facts: Facts, evidence: Sequence[EvidenceItem]) -> Verdict | None:
    service = facts.incident.service
    if service.repository is not None:
        return None
    origin = f"the image {service.image}" if service.image else "no known source"
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason=f"deployed from {origin}: there is no repository in which it could be fixed",
        evidence=_cited(evidence, {"findings"}),
    )


def _disk_only(facts: Facts, evidence: Sequence[EvidenceItem]) -> Verdict | None:
    if {f.signal for f in facts.incident.findings} != {Signal.disk}:
        return None
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason="a volume fills up, and nothing shows whether it may: its size is for a person",
        evidence=_cited(evidence, {"findings", "metrics"}),
    )


_RULES: tuple[Rule, ...] = (_database, _level_only, _no_repository, _disk_only)


def _code_fix(facts: Facts, evidence: Sequence[EvidenceItem]) -> Verdict:
    found = {f.signal for f in facts.incident.findings}
    signals = ", ".join(dict.fromkeys(f.signal.value for f in facts.incident.findings))
    waits_for_it = {"databases"} if Signal.latency in found else set[str]()
    return Verdict(
        kind=VerdictKind.code_fix,
        reason=f"{signals}: {facts.incident.service.name} suffers, and its code is at hand",
        evidence=_cited(evidence, _DECISIVE | waits_for_it),
    )


def _cited(evidence: Sequence[EvidenceItem], sources: frozenset[str] | set[str]) -> tuple[str, ...]:
    return tuple(
        item.id for item in evidence if item.source in sources and not item.text.startswith(MISSING)
    )
