"""May this plan run? Plain code; the model is never asked for permission."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from autofix.change.gate.paths import matches
from autofix.models import FixPlan, Model, ServiceContext


class PolicyResult(Model):
    """Whether a plan may go on to an agent, and each reason why not."""

    reasons: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """True when nothing speaks against it."""
        return not self.reasons


def judge_plan(
    plan: FixPlan, contexts: Sequence[ServiceContext], *, minimum_confidence: float
) -> PolicyResult:
    """Hold a plan against the evidence and the services it is for.

    Every cited evidence id must exist, every service and file must belong to the repository's
    affected services, and there must be a cause of at least the stated confidence.
    """
    if plan.answer == "insufficient_evidence":
        return PolicyResult(reasons=(f"the evidence shows no cause: {plan.missing}",))
    reasons = find_faults(plan, contexts)
    if plan.root_causes and plan.confidence < minimum_confidence:
        reasons.append(
            f"confidence {plan.confidence:.2f} is below the required {minimum_confidence:.2f}"
        )
    return PolicyResult(reasons=tuple(reasons))


def find_faults(plan: FixPlan, contexts: Sequence[ServiceContext]) -> list[str]:
    """What is wrong with a plan whatever its confidence, each in a sentence; once each."""
    if plan.answer == "insufficient_evidence":
        return []
    reasons: list[str] = []
    if not plan.root_causes:
        reasons.append("the plan names no root cause")
    if not plan.steps:
        reasons.append("the plan has no steps")
    known_ids = {item.id for context in contexts for item in context.evidence}
    names = {context.incident.service.name for context in contexts}
    for cause in plan.root_causes:
        invented = sorted(set(cause.evidence) - known_ids)
        if invented:
            reasons.append(f"the plan cites evidence that does not exist: {', '.join(invented)}")
        if not cause.evidence:
            reasons.append(f"the cause for {cause.service} names no evidence")
        if cause.service not in names:
            reasons.append(f"{cause.service} is not one of the affected services")
    reasons += [
        f"{path} is outside the affected services' folders"
        for path in [*plan.files, *(c.file for c in plan.root_causes if c.file)]
        if not _is_theirs(path, contexts)
    ]
    return list(dict.fromkeys(reasons))


def allowed_roots(contexts: Sequence[ServiceContext]) -> tuple[str, ...]:
    """Folders of the repository a fix may touch; the empty one stands for all of it."""
    return tuple(
        sorted({context.incident.service.root_directory.strip("/") for context in contexts})
    )


def allowed_places(contexts: Sequence[ServiceContext]) -> tuple[str, ...]:
    """Their folders, and the watch patterns of what they share with others; for people and models."""
    watched = (p for context in contexts for p in context.incident.service.watch_patterns)
    roots = allowed_roots(contexts)
    shared = {p for p in watched if not p.startswith("!") and not is_inside(p.strip("/"), roots)}
    return (*roots, *sorted(shared))


def find_stray(places: Sequence[str]) -> str | None:
    """The first of these folders, files and patterns that could leave the repository."""
    return next((p for p in places if ".." in PurePosixPath(p).parts or "\\" in p), None)


def _is_theirs(path: str, contexts: Sequence[ServiceContext]) -> bool:
    """Whether a path is one of the affected services', or of what is deployed when it changes."""
    if is_inside(path, allowed_roots(contexts)):
        return True
    patterns = [p for context in contexts for p in context.incident.service.watch_patterns]
    return is_inside(path, ("",)) and matches(path, patterns)


def is_inside(path: str, roots: Sequence[str]) -> bool:
    """Whether a repository path lies in one of these folders, without leaving by ``..``."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        return False
    return any(not root or pure.is_relative_to(root) for root in roots)
