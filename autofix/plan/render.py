"""The plan as people read it: a colleague's note, with the numbers, a picture and the lines that decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from autofix.change.markdown import code, fence, inline
from autofix.models import (
    Chart,
    Deployment,
    EvidenceItem,
    Finding,
    FixPlan,
    PlanResult,
    ServiceContext,
    Severity,
)
from autofix.plan.picture import render_chart, render_sparkline

_LINES = 14
"""Lines of one evidence item that are quoted."""
_HEAD = 3
"""Of these, lines of the beginning of a block that is longer."""
_SAID = frozenset({"findings", "metrics"})
"""What is told above already."""
_QUOTED = 3
"""Evidence items that are quoted for one cause."""
_SECOND_MS = 1_000


def render_plan(
    result: PlanResult, reasons: Sequence[str], contexts: Sequence[ServiceContext]
) -> str:
    """Markdown: what happened, why, what to do, how to reproduce and to check it.

    Args:
        result: the plan with its model and cost.
        reasons: why policy does not let it go on; empty when it may.
        contexts: the affected services, for the numbers and the lines.
    """
    plan = result.plan
    parts = [f"# {inline(plan.title)}", _decision(result, reasons), inline(plan.summary)]
    parts += ["## What happened", *(_happened(context) for context in contexts)]
    if plan.answer == "insufficient_evidence":
        parts += ["## What is missing", inline(plan.missing) or "The model does not say."]
    else:
        items = {item.id: item for context in contexts for item in context.evidence}
        parts += ["## Why", *_causes(plan, items), "## What to do", _steps(plan)]
        parts += _lists(plan)
    return "\n\n".join(part for part in (*parts, _origin(result)) if part) + "\n"


def _decision(result: PlanResult, reasons: Sequence[str]) -> str:
    if result.plan.answer == "insufficient_evidence":
        return "**No fix is proposed:** the evidence does not show a cause that can be named."
    if not reasons:
        return "**This plan may go on to an agent.**"
    return "**This plan stops here:**\n\n" + "\n".join(f"- {inline(reason)}" for reason in reasons)


def _happened(context: ServiceContext) -> str:
    incident = context.incident
    name = inline(incident.service.name)
    worst = sorted(incident.findings, key=lambda f: f.severity is not Severity.critical)
    lines = [
        f"**{name}** is in trouble since {incident.onset:%Y-%m-%d %H:%M:%S} UTC{since_deployment(context)}."
    ]
    lines += ["", *(f"- {_finding(finding, context.charts)}" for finding in worst)]
    if incident.earlier:
        lines += ["", "Tried before:", "", *(f"- {inline(line)}" for line in incident.earlier)]
    chart = render_chart(context.charts[0], incident.service.name) if context.charts else ""
    return "\n".join(lines) + (f"\n\n{chart}" if chart else "")


def since_deployment(context: ServiceContext) -> str:
    """Which deployment served then."""
    deployment = context.incident.service.deployment
    if deployment is None:
        return ""
    gap = context.incident.onset - deployment.created_at
    when = f"{_span(gap)} after" if gap >= timedelta() else f"{_span(-gap)} before"
    if abs(gap) < timedelta(minutes=1):
        when = "right after"
    return f", {when} the deployment of {_commit(deployment)}"


def _commit(deployment: Deployment) -> str:
    subject = (deployment.commit_message or "").split("\n", 1)[0]
    if not deployment.commit:
        return f"{deployment.created_at:%Y-%m-%d %H:%M}"
    return code(deployment.commit[:12]) + (f" ({inline(subject, cap=80)})" if subject else "")


def _finding(finding: Finding, charts: Sequence[Chart]) -> str:
    mark = "**critical**" if finding.severity is Severity.critical else "warning"
    text = f"{mark}: {inline(finding.reason)}"
    if finding.baseline is not None:
        text += f"; usually {_value(finding.baseline, finding.unit)}"
    if finding.hours_left is not None:
        text += f"; at its limit in {finding.hours_left:.1f} h"
    chart = next((c for c in charts if c.signal is finding.signal), None)
    return text + (f"  {code(render_sparkline(chart))}" if chart else "")


def _causes(plan: FixPlan, items: dict[str, EvidenceItem]) -> list[str]:
    parts: list[str] = []
    for number, cause in enumerate(plan.root_causes, start=1):
        places = [code(p) for p in (cause.file, cause.function) if p]
        where = f" in {', '.join(places)}" if places else ""
        shown = ", ".join(inline(id_) for id_ in cause.evidence)
        parts.append(
            f"{number}. **{inline(cause.service)}**{where}: {inline(cause.cause)} "
            f"Shown by {shown or 'nothing'}; confidence {cause.confidence:.0%}."
        )
        cited = [items[id_] for id_ in cause.evidence if id_ in items]
        quoted = [item for item in cited if item.source not in _SAID][:_QUOTED]
        parts += [quote(item) for item in quoted]
    return parts


def quote(item: EvidenceItem) -> str:
    """The first lines of an item, where the most decisive stand; of a trace also its end."""
    lines = item.text.split("\n")
    first = next((n for n, line in enumerate(lines) if n and line.startswith("×")), len(lines))
    if first > _LINES:  # one long block: what happened stands at its end
        kept = [
            *lines[:_HEAD],
            f"  … {first - _LINES} lines",
            *lines[first - _LINES + _HEAD : first],
        ]
    else:
        kept = lines[:_LINES]
    rest = len(lines) - max(first if first > _LINES else 0, len(kept))
    note = [f"… {rest} more lines in the evidence"] if rest > 0 else []
    head = f"{inline(item.id)}, {inline(item.source)}: {inline(item.why)}"
    return f"   {head}\n\n" + fence("\n".join([*kept, *note]), 2_500)


def _steps(plan: FixPlan) -> str:
    return "\n".join(
        f"{number}. **{inline(step.title)}**"
        + (f"  \n   {inline(step.detail)}" if step.detail else "")
        for number, step in enumerate(plan.steps, start=1)
    )


def _lists(plan: FixPlan) -> list[str]:
    parts: list[str] = []
    for title, lines in (
        ("Files expected to change", [code(file) for file in plan.files]),
        ("What stays as it is", [inline(line) for line in plan.do_not_touch]),
        ("How to reproduce it", [inline(line) for line in plan.debugging]),
        ("How to see that it helped", [inline(line) for line in plan.verification]),
        ("Risks", [inline(line) for line in plan.risks]),
        ("Beyond this change", [inline(line) for line in plan.recommendations]),
        ("Where it stands", [inline(plan.architecture)] if plan.architecture else []),
    ):
        if lines:
            parts += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    return parts


def _origin(result: PlanResult) -> str:
    scripted = " (a scripted rehearsal, not a model)" if "rehearsal" in result.model else ""
    cost = f", ${result.cost:.4f}" if result.cost is not None else ""
    calls = f"{result.calls} calls, " if result.calls > 1 else ""
    again = ""
    if result.objections:
        again = (
            " The first answer was sent back: " + "; ".join(map(inline, result.objections)) + "."
        )
    return (
        f"*Written by {inline(result.model)}{scripted}: {calls}{result.input_tokens:,} tokens in, "
        f"{result.output_tokens:,} out{cost}; prompt {inline(result.prompt_version)}.{again}*"
    )


def _span(length: timedelta) -> str:
    minutes = length.total_seconds() / 60
    if minutes < 120:  # noqa: PLR2004
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"  # noqa: PLR2004


def _value(value: float, unit: str) -> str:
    if unit == "ms" and value >= _SECOND_MS:
        return f"{value / _SECOND_MS:.1f} s"
    return f"{value:,.3g} {unit}"
