"""What kind of answer the evidence supports: plain rules in order, each with its reason.

Only typed facts decide; no text of the telemetry can. The first rule that has an answer gives it. A
model is asked after this and may only lower it, to ``insufficient_evidence``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autofix.investigate.case import MISSING
from autofix.investigate.facts import Facts
from autofix.investigate.rules import elsewhere, nothing, operate, unknown
from autofix.investigate.rules.common import Cite, Rule, full_volume, signals
from autofix.models import EvidenceItem, Signal, Verdict, VerdictKind

_PLACE = re.compile(r"[\w./@+-]{1,120}:\d{1,7}")
"""A path that is nothing but a path: this reason stands outside of any fence."""

RULES: tuple[Rule, ...] = (
    unknown.own,
    nothing.database,
    nothing.success,
    nothing.scanners,
    elsewhere.platform,
    elsewhere.upstream,
    operate.rollback,
    full_volume,
    operate.working_set,
    operate.replicas,
    unknown.unread,
    unknown.silent,
    unknown.overlap,
    unknown.no_repository,
    unknown.fixed_at_head,
)


def judge(facts: Facts, evidence: Sequence[EvidenceItem]) -> Verdict:
    """The first rule that has an answer; a fix in code when none objects."""

    def cite(*sources: str) -> tuple[str, ...]:
        return tuple(
            item.id
            for item in evidence
            if item.source in {"findings", *sources} and not item.text.startswith(MISSING)
        )

    for rule in RULES:
        verdict = rule(facts, cite)
        if verdict is not None:
            return verdict
    return _code_fix(facts, cite)


def _code_fix(facts: Facts, cite: Cite) -> Verdict:
    named = ", ".join(dict.fromkeys(f.signal.value for f in facts.incident.findings))
    waits = {"databases", "neighbours"} if Signal.latency in signals(facts) else set[str]()
    places = [p for p in (facts.code.suspects if facts.code else ()) if _PLACE.fullmatch(p)]
    leads = f"the evidence leads to {', '.join(places[:2])}" if places else "its code is at hand"
    return Verdict(
        kind=VerdictKind.code_fix,
        reason=f"{named}: {facts.incident.service.name} suffers, and {leads}",
        evidence=cite("deployment log", "build log", "http log", "code", "cron runs", *waits),
    )
