"""May this plan run? Plain code; the model is never asked for permission."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

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
    roots = allowed_roots(contexts)
    reasons += [
        f"{path} is outside the affected services' folders"
        for path in [*plan.files, *(c.file for c in plan.root_causes if c.file)]
        if not is_inside(path, roots)
    ]
    return list(dict.fromkeys(reasons))


def allowed_roots(contexts: Sequence[ServiceContext]) -> tuple[str, ...]:
    """Folders of the repository a fix may touch; the empty one stands for all of it."""
    return tuple(
        sorted({context.incident.service.root_directory.strip("/") for context in contexts})
    )


def is_inside(path: str, roots: Sequence[str]) -> bool:
    """Whether a repository path lies in one of these folders, without leaving by ``..``."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        return False
    return any(not root or pure.is_relative_to(root) for root in roots)
