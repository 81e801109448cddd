"""The plan as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from autofix.models import FixPlan, PlanResult, ServiceContext


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
        f"# {plan.title}",
        _origin(result),
        _decision(reasons),
        "## What happened",
        "\n".join(_happened(context) for context in contexts),
        plan.summary,
    ]
    if plan.answer == "insufficient_evidence":
        return "\n\n".join([*parts, "## What is missing", plan.missing]) + "\n"
    parts += ["## Root causes", *(_causes(plan)), "## Steps", _steps(plan)]
    for title, lines in (
        ("Files expected to change", [f"`{file}`" for file in plan.files]),
        ("How to reproduce it", plan.debugging),
        ("How to see that it helped", plan.verification),
        ("Risks", plan.risks),
        ("Beyond this change", plan.recommendations),
    ):
        if lines:
            parts += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(parts) + "\n"


def _origin(result: PlanResult) -> str:
    scripted = " (a scripted rehearsal, not a model)" if "rehearsal" in result.model else ""
    return (
        f"*Written by {result.model}{scripted}; {result.input_tokens:,} tokens in, "
        f"{result.output_tokens:,} out; prompt {result.prompt_version}.*"
    )


def _decision(reasons: Sequence[str]) -> str:
    if not reasons:
        return "**Policy:** may go on to an agent."
    return "**Policy:** stops here.\n\n" + "\n".join(f"- {reason}" for reason in reasons)


def _happened(context: ServiceContext) -> str:
    lines = "; ".join(finding.reason for finding in context.incident.findings)
    return f"- **{context.incident.service.name}**: {lines}"


def _causes(plan: FixPlan) -> list[str]:
    return [
        f"{number}. **{cause.service}**"
        + (f", `{cause.file}`" if cause.file else "")
        + (f", `{cause.function}`" if cause.function else "")
        + f" (evidence {', '.join(cause.evidence)}; confidence {cause.confidence:.2f})\n\n"
        + f"   {cause.cause}"
        for number, cause in enumerate(plan.root_causes, start=1)
    ]


def _steps(plan: FixPlan) -> str:
    return "\n".join(
        f"{number}. **{step.title}**" + (f"  \n   {step.detail}" if step.detail else "")
        for number, step in enumerate(plan.steps, start=1)
    )
