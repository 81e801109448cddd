"""Renders the planner's prompt: prompts are files, undefined names fail, the size is bounded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from autofix.models import ServiceContext
from autofix.redact.fence import fenced
from autofix.report import render_context
from autofix.tokens import estimate_tokens

_prompts = files("autofix.plan").joinpath("prompts")
SYSTEM = _prompts.joinpath("system.md").read_text(encoding="utf-8")
_EVIDENCE = _prompts.joinpath("evidence.md.jinja").read_text(encoding="utf-8")

PROMPT_VERSION = hashlib.sha256((SYSTEM + _EVIDENCE).encode()).hexdigest()[:8]
"""Changes with the prompt files, and with it the plan's cache key."""

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
    """The user message for one repository, at most `max_tokens` by estimate, system text included.

    Items are ordered by how decisive they are, so what does not fit is dropped from the end of
    the longest list, and their number is stated.

    Args:
        repository: ``owner/name``.
        architecture: markdown of what runs.
        contexts: the affected services with redacted evidence.
        nonce: unpredictable text in each fence line, so that nothing inside can close it.
        max_tokens: cap on the estimate.
    """
    kept = list(contexts)
    omitted = 0
    while True:
        text = _environment.from_string(_EVIDENCE).render(
            repository=repository,
            architecture=fenced(architecture, nonce) if architecture else "",
            contexts=[render_context(context, nonce) for context in kept],
            omitted=omitted,
        )
        if estimate_tokens(SYSTEM + text) <= max_tokens:
            return text
        longest = max(range(len(kept)), key=lambda i: len(kept[i].evidence))
        if kept[longest].evidence:
            shorter = kept[longest].evidence[:-1]
            kept[longest] = kept[longest].model_copy(update={"evidence": shorter})
            omitted += 1
        elif architecture:
            architecture = ""
        else:
            return text
