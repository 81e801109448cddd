"""The verdicts of one tick as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from autofix.models import ServiceContext, VerdictKind
from autofix.parameters import Autonomy
from autofix.redact.markdown import cell, code

_NEXT = {
    Autonomy.report: "The next level, `plan`, would have written a plan for {repositories}.",
    Autonomy.plan: "A plan is written for {repositories}; the next level would start an agent.",
    Autonomy.approve: "A plan is written for {repositories}; a person decides on it before an agent starts.",
    Autonomy.pull_request: "A fix is started for {repositories}.",
}

_BY_ITSELF = "goes on by itself"


def render_verdicts(contexts: Sequence[ServiceContext], autonomy: Autonomy) -> str:
    """One row a service: what it calls for, why, and what to do; then what follows by itself."""
    rows = [
        f"| {cell(context.incident.service.name)} | **{context.verdict.kind}** | "
        f"{cell(context.verdict.reason, cap=600)} | "
        f"{cell(context.verdict.action, cap=600) or _BY_ITSELF} | "
        f"{code(context.incident.work_id)} |"
        for context in contexts
    ]
    table = [
        "| service | verdict | why | to do | work id |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    return "\n".join(["# Verdicts", "", *table, "", _what_follows(contexts, autonomy), ""])


def _what_follows(contexts: Sequence[ServiceContext], autonomy: Autonomy) -> str:
    repositories = sorted(
        {
            context.incident.service.repository
            for context in contexts
            if context.verdict.kind is VerdictKind.code_fix and context.incident.service.repository
        }
    )
    if not repositories:
        return "Nothing is started: no service calls for a change of its code."
    return _NEXT[autonomy].format(repositories=", ".join(code(r) for r in repositories))
