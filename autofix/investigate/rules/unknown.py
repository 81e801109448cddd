"""Not enough to go on, or nowhere to fix it."""

from __future__ import annotations

from datetime import timedelta

from autofix.investigate.facts import ChangeFacts, Facts
from autofix.investigate.rules.common import Cite, reasons, signals
from autofix.models import Signal, Verdict, VerdictKind


def own(facts: Facts, cite: Cite) -> Verdict | None:
    """One of this tool's own services."""
    service = facts.incident.service
    if not service.own:
        return None
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason=f"one of this tool's own services: reported, never repaired. {reasons(facts)}",
        action=f"look at {service.name} yourself: its log is on Railway",
        evidence=cite("deployment log"),
    )


def unread(facts: Facts, cite: Cite) -> Verdict | None:
    """Neither what it says nor what it answers could be read."""
    decisive = (
        {"deployment log", "http log"} if facts.incident.service.domains else {"deployment log"}
    )
    if not decisive <= set(facts.failed) or Signal.build_failure in signals(facts):
        return None
    why = "; ".join(f"{source}: {facts.failed[source]}" for source in sorted(decisive))
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason=f"neither its log nor its requests could be read ({why})",
        action="look again when Railway answers; this is done at the next tick",
        evidence=cite(),
    )


def silent(facts: Facts, cite: Cite) -> Verdict | None:
    """Nobody asks any more, and nothing it says explains that."""
    if signals(facts) != {Signal.silence} or (facts.logs and facts.logs.errors):
        return None
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason=f"{reasons(facts)}; it runs and says nothing of an error",
        action="see whether its domain still leads to it, and whether its callers still call",
        evidence=cite("http log", "deployment log", "dns"),
    )


def overlap(facts: Facts, cite: Cite) -> Verdict | None:
    """A cron whose runs take longer than its schedule leaves them; none failed, and none hangs."""
    runs, service = facts.runs, facts.incident.service
    if signals(facts) != {Signal.cron_failed} or runs is None or runs.failed or runs.hangs:
        return None
    if not runs.skipped or runs.longest is None:
        return None
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason=f"no run failed; one was due {_times(runs.skipped)} while the one before was busy, and a "
        f"run takes up to {_span(runs.longest)}",
        action=f"give {service.name} a schedule with more time between two runs than "
        f"{service.cron_schedule}, or make a run shorter",
        evidence=cite("cron runs"),
    )


def no_repository(facts: Facts, cite: Cite) -> Verdict | None:
    """Deployed from an image, by upload, or from where the token cannot reach."""
    service, code = facts.incident.service, facts.code
    if service.repository is None:
        origin = (
            f"the image {service.image}" if service.image else "an upload, without a repository"
        )
        return Verdict(
            kind=VerdictKind.insufficient_evidence,
            reason=f"deployed from {origin}: there is no repository in which it could be fixed. "
            f"{reasons(facts)}",
            action="fix it where its code is, or connect the service to its repository on Railway",
            evidence=cite("deployment log", "http log"),
        )
    if _is_upload(facts.changes):
        return Verdict(
            kind=VerdictKind.insufficient_evidence,
            reason=f"what serves was uploaded and has no commit: what {service.repository} holds is "
            f"not known to be it. {reasons(facts)}",
            action=f"deploy {service.name} from its repository",
            evidence=cite("deployments", "deployment log"),
        )
    if code is not None and code.unreachable is not None:
        return Verdict(
            kind=VerdictKind.insufficient_evidence,
            reason=f"{service.repository} cannot be reached: {code.unreachable}. {reasons(facts)}",
            action=f"give GITHUB_TOKEN access to {service.repository}, or connect the service to another "
            "repository",
            evidence=cite("deployment log", "http log"),
        )
    return None


def fixed_at_head(facts: Facts, cite: Cite) -> Verdict | None:
    """The branch's head has changed the very place since the deployed commit."""
    code, service = facts.code, facts.incident.service
    if code is None or not code.ahead_by or not code.changed_suspects:
        return None
    newest = facts.changes.newest if facts.changes else None
    stuck = ""
    if newest and newest.commit == code.head and newest.status in {"FAILED", "CRASHED"}:
        stuck = f" Its deployment ended as {newest.status}."
    return Verdict(
        kind=VerdictKind.insufficient_evidence,
        reason=f"{service.branch} is {_commits(code.ahead_by)} ahead of what is deployed, changing "
        f"what the evidence leads to ({', '.join(code.changed_suspects[:3])}): the fault may be fixed "
        f"there already.{stuck}",
        action=f"deploy it: {service.name} at {(code.head or '')[:12]}",
        evidence=cite("code", "deployments"),
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _span(length: timedelta) -> str:
    minutes = length.total_seconds() / 60
    return f"{minutes:.0f} min" if minutes >= 1 else f"{length.total_seconds():.0f} s"


def _commits(count: int) -> str:
    return "1 commit" if count == 1 else f"{count} commits"


def _is_upload(changes: ChangeFacts | None) -> bool:
    return changes is not None and changes.live is not None and changes.live.commit is None
