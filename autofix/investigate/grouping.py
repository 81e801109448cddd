"""What is left after the verdicts, grouped by repository: one fix each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from autofix.investigate.budget import shorten_text
from autofix.models import ServiceContext, VerdictKind

HANDED_ON = 400_000
"""Bytes of one repository's contexts; a run's parameters may have 524,288."""
_SHORTER = (600, 300, 150, 60)
"""Tokens of one item, tried in this order."""


def group_by_repository(
    contexts: Iterable[ServiceContext],
) -> dict[str, tuple[ServiceContext, ...]]:
    """The contexts whose verdict is ``code_fix``, by repository, evidence ids made unique in each.

    A context without a repository is never in the result: nothing can be fixed there.
    """
    groups: dict[str, list[ServiceContext]] = {}
    for context in contexts:
        repository = context.incident.service.repository
        if context.verdict.kind is VerdictKind.code_fix and repository is not None:
            groups.setdefault(repository, []).append(context)
    return {
        repository: number_evidence(fit_group(sorted(group, key=lambda c: c.incident.service.name)))
        for repository, group in sorted(groups.items())
    }


def fit_group(
    contexts: Sequence[ServiceContext], size: int = HANDED_ON
) -> tuple[ServiceContext, ...]:
    """The contexts with items short enough that all of them can be handed on together."""
    kept = tuple(contexts)
    for tokens in _SHORTER:
        if sum(len(c.model_dump_json().encode()) for c in kept) <= size:
            break
        kept = tuple(
            c.model_copy(
                update={
                    "evidence": tuple(
                        i.model_copy(update={"text": shorten_text(i.text, tokens)})
                        for i in c.evidence
                    )
                }
            )
            for c in kept
        )
    return kept


def number_evidence(contexts: Sequence[ServiceContext]) -> tuple[ServiceContext, ...]:
    """The contexts with evidence ids ``E1``, ``E2``, … running through all of them."""
    numbered: list[ServiceContext] = []
    count = 0
    for context in contexts:
        names = {item.id: f"E{count + i}" for i, item in enumerate(context.evidence, start=1)}
        count += len(context.evidence)
        items = tuple(i.model_copy(update={"id": names[i.id]}) for i in context.evidence)
        cited = tuple(names[e] for e in context.verdict.evidence if e in names)
        verdict = context.verdict.model_copy(update={"evidence": cited})
        numbered.append(context.model_copy(update={"evidence": items, "verdict": verdict}))
    return tuple(numbered)
