"""What is worth telling people between two ticks: an incident opened, got a verdict, or is over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from autofix.models import Finding, IncidentRecord, Model, VerdictKind

TEXT_CAP = 1_000


class NewsKind(StrEnum):
    """What happened; also the end of the event's name."""

    opened = "opened"
    verdict = "verdict"
    ended = "ended"


class News(Model):
    """One message about one incident."""

    kind: NewsKind
    incident: str
    """Fingerprint and episode."""
    service: str
    text: str
    """One or two sentences, with the exact act where a person has to act."""
    detail: str = ""
    """What makes this message another one than the last of its kind."""

    @property
    def id(self) -> UUID:
        """The same message has the same id, also when it is told again after a kill."""
        content = f"{self.kind.value}|{self.incident}|{self.detail}"
        return UUID(bytes=hashlib.sha256(content.encode()).digest()[:16], version=4)


def build_news(
    before: Iterable[IncidentRecord],
    after: Iterable[IncidentRecord],
    findings: Sequence[Finding],
) -> tuple[News, ...]:
    """What changed from the records of one tick to those of the next.

    An incident that goes on as it was is no news, however long it lasts.
    """
    old = {(r.fingerprint, r.episode): r for r in before}
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        reasons.setdefault(finding.service_id, []).append(finding.reason)
    return tuple(
        news
        for record in after
        for news in _news(old.get((record.fingerprint, record.episode)), record, reasons)
    )


def _news(
    old: IncidentRecord | None, new: IncidentRecord, reasons: Mapping[str, Sequence[str]]
) -> Iterable[News]:
    if new.muted:
        return
    if old is None:
        said = "; ".join(reasons.get(new.service_id, ())) or new.first_signal.value
        yield _one(NewsKind.opened, new, f"{new.service} is in trouble: {said}")
    verdict = new.verdict
    if verdict and verdict != (old.verdict if old else None):
        yield _one(NewsKind.verdict, new, f"{new.service}: {_verdict(verdict, new)}", verdict)
    if new.ended_at and not (old and old.ended_at):
        since = f"{new.onset:%Y-%m-%d %H:%M} UTC"
        how = f" {new.pull_request} was merged." if new.outcome else ""
        yield _one(NewsKind.ended, new, f"{new.service}: the trouble since {since} is over.{how}")


def _verdict(verdict: str, record: IncidentRecord) -> str:
    if verdict == VerdictKind.code_fix.value:
        return "a fix in code is being prepared; it ends in a draft pull request for you to review"
    return f"{verdict.replace('_', ' ')}. {record.action or record.why}".strip()


def _one(kind: NewsKind, record: IncidentRecord, text: str, detail: str = "") -> News:
    return News(
        kind=kind,
        incident=f"{record.fingerprint}-e{record.episode}",
        service=record.service,
        text=text[:TEXT_CAP],
        detail=detail,
    )
