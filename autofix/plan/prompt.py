"""Renders the planner's prompt: prompts are files, undefined names fail, the size is bounded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from autofix.investigate.budget import BLOCK_TOKENS, shorten_text
from autofix.models import FixPlan, ServiceContext
from autofix.redact.fence import fenced
from autofix.report import render_context
from autofix.tokens import estimate_tokens

_prompts = files("autofix.plan").joinpath("prompts")
SYSTEM = _prompts.joinpath("system.md").read_text(encoding="utf-8")
_EVIDENCE = _prompts.joinpath("evidence.md.jinja").read_text(encoding="utf-8")
_AGAIN = _prompts.joinpath("again.md.jinja").read_text(encoding="utf-8")
_SCHEMA = json.dumps(FixPlan.model_json_schema(), ensure_ascii=False)

PROMPT_VERSION = hashlib.sha256((SYSTEM + _EVIDENCE + _AGAIN + _SCHEMA).encode()).hexdigest()[:8]
"""Changes with the prompt files and the form of the answer, and with it the plan's cache key."""
FIXED_TOKENS = estimate_tokens(SYSTEM) + estimate_tokens(_SCHEMA) + 60
"""What every call costs beside the prompt: the system text, the form of the answer, roles."""
_ARCHITECTURE = 900
"""Tokens of the architecture when it has to make room."""
_LEAST_ITEM = 60
"""Tokens below which an item is left out instead of cut."""

_environment = Environment(
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 - markdown for a model, not HTML
)


def render_prompt(
    repository: str,
    architecture: str,
    contexts: Sequence[ServiceContext],
    *,
    nonce: str,
    max_tokens: int,
) -> str:
    """The user message for one repository; with all that goes along at most `max_tokens`.

    Where it does not fit, the architecture is cut first, then every item alike, the ends of items
    before their beginnings: the decisive lines stand at the top. Items are left out, from the least
    decisive on, only when a few lines of each are still too much. What is left out is said.

    Args:
        repository: ``owner/name``.
        architecture: markdown of what runs.
        contexts: the affected services with redacted evidence.
        nonce: unpredictable text in each fence line, so that nothing inside can close it.
        max_tokens: cap on the estimate.
    """

    def render(contexts: Sequence[ServiceContext], architecture: str, omitted: int = 0) -> str:
        return _environment.from_string(_EVIDENCE).render(
            repository=repository,
            architecture=fenced(architecture, nonce) if architecture else "",
            contexts=[render_context(context, nonce) for context in contexts],
            omitted=omitted,
        )

    def fits(text: str) -> bool:
        return FIXED_TOKENS + estimate_tokens(text) <= max_tokens

    whole = render(contexts, architecture)
    if fits(whole):
        return whole
    short = shorten_text(architecture, _ARCHITECTURE)
    tokens = _largest(
        lambda n: fits(render(_cut(contexts, n), short)), _LEAST_ITEM, 2 * BLOCK_TOKENS
    )
    if tokens:
        return render(_cut(contexts, tokens), short)
    few = _cut(contexts, _LEAST_ITEM)
    most = max(len(context.evidence) for context in contexts)
    items = _largest(lambda n: fits(render(_first(few, n), short, _rest(few, n))), 1, most)
    if items:
        return render(_first(few, items), short, _rest(few, items))
    bare = _first(few, 0)
    services = _largest(lambda n: fits(render(bare[:n], short, _rest(few, 0))), 1, len(bare))
    return render(bare[:services], short, _rest(few, 0))


def render_objections(objections: Sequence[str]) -> str:
    """The message that sends a plan back."""
    return _environment.from_string(_AGAIN).render(
        objections=[" ".join(o.split()) for o in objections]
    )


def _cut(contexts: Sequence[ServiceContext], tokens: int) -> list[ServiceContext]:
    """The contexts with items of at most so many tokens each."""
    return [
        context.model_copy(
            update={
                "evidence": tuple(
                    item.model_copy(update={"text": shorten_text(item.text, tokens)})
                    for item in context.evidence
                )
            }
        )
        for context in contexts
    ]


def _largest(fits: Callable[[int], bool], low: int, high: int) -> int:
    """The largest number that fits; 0 when even the lowest does not."""
    if not fits(low):
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _first(contexts: Sequence[ServiceContext], count: int) -> list[ServiceContext]:
    """The contexts with their first items alone."""
    return [c.model_copy(update={"evidence": c.evidence[:count]}) for c in contexts]


def _rest(contexts: Sequence[ServiceContext], count: int) -> int:
    """How many items that leaves out."""
    return sum(max(0, len(c.evidence) - count) for c in contexts)
