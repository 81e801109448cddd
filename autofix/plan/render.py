"""The plan as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from autofix.models import FixPlan, PlanResult, ServiceContext
from autofix.redact.markdown import code, inline


def render_plan(
    result: PlanResult, reasons: Sequence[str], contexts: Sequence[ServiceContext]
) -> str:
    """Markdown: what happened, causes, steps, how to reproduce and to check.

    Args:
        result: the plan with its model and cost.
        reasons: why policy does not let it go on; empty when it may.
        contexts: the affected services, for the numbers.
    """
    plan = result.plan
    parts = [
        f"# {inline(plan.title)}",
        _origin(result),
        _decision(reasons),
        "## What happened",
        "\n".join(_happened(context) for context in contexts),
        inline(plan.summary),
    ]
    if plan.answer == "insufficient_evidence":
        return "\n\n".join([*parts, "## What is missing", inline(plan.missing)]) + "\n"
    parts += ["## Root causes", *(_causes(plan)), "## Steps", _steps(plan)]
    for title, lines in (
        ("Files expected to change", [code(file) for file in plan.files]),
        ("How to reproduce it", map(inline, plan.debugging)),
        ("How to see that it helped", map(inline, plan.verification)),
        ("Risks", map(inline, plan.risks)),
        ("Beyond this change", map(inline, plan.recommendations)),
    ):
        listed = "\n".join(f"- {line}" for line in lines)
        if listed:
            parts += [f"## {title}", listed]
    return "\n\n".join(parts) + "\n"


def _origin(result: PlanResult) -> str:
    scripted = " (a scripted rehearsal, not a model)" if "rehearsal" in result.model else ""
    return (
        f"*Written by {inline(result.model)}{scripted}; {result.input_tokens:,} tokens in, "
        f"{result.output_tokens:,} out; prompt {result.prompt_version}.*"
    )


def _decision(reasons: Sequence[str]) -> str:
    if not reasons:
        return "**Policy:** may go on to an agent."
    return "**Policy:** stops here.\n\n" + "\n".join(f"- {inline(reason)}" for reason in reasons)


def _happened(context: ServiceContext) -> str:
    lines = "; ".join(finding.reason for finding in context.incident.findings)
    return f"- **{inline(context.incident.service.name)}**: {inline(lines)}"


def _causes(plan: FixPlan) -> list[str]:
    return [
        f"{number}. **{inline(cause.service)}**"
        + (f", {code(cause.file)}" if cause.file else "")
        + (f", {code(cause.function)}" if cause.function else "")
        + f" (evidence {inline(', '.join(cause.evidence))}; confidence {cause.confidence:.2f})\n\n"
        + f"   {inline(cause.cause)}"
        for number, cause in enumerate(plan.root_causes, start=1)
    ]


def _steps(plan: FixPlan) -> str:
    return "\n".join(
        f"{number}. **{inline(step.title)}**"
        + (f"  \n   {inline(step.detail)}" if step.detail else "")
        for number, step in enumerate(plan.steps, start=1)
    )
