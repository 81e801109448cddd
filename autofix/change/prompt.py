"""Renders the agent's prompt from a plan: the prompt is a file, undefined names fail."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from autofix.change.workspace import clone_name
from autofix.models import Denial, FixPlan, RootCause

_PROMPTS = files("autofix.change").joinpath("prompts")
_TEMPLATE = _PROMPTS.joinpath("fix.md.jinja").read_text(encoding="utf-8")
_RETRY = _PROMPTS.joinpath("retry.md.jinja").read_text(encoding="utf-8")
PROMPT_VERSION = hashlib.sha256(_TEMPLATE.encode()).hexdigest()[:8]
"""Changes with the prompt file."""

_environment = Environment(
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - markdown for a model, not HTML
)


def render_prompt(
    plan: FixPlan,
    architecture_markdown: str,
    context_markdown: str,
    *,
    repository: str,
    service_folders: Sequence[str] = (),
    publish: Mapping[str, str] | None = None,
) -> str:
    """What the agent is asked to do.

    Args:
        plan: what to fix and how; each of its texts is put on one line.
        architecture_markdown: what runs, redacted.
        context_markdown: the evidence, redacted and fenced by the caller.
        repository: ``owner/name``.
        service_folders: the affected services' folders in it; none or empty means all of it.
        publish: ``branch``, ``base`` and ``title`` when the agent opens the pull request itself.
    """
    return _environment.from_string(_TEMPLATE).render(
        repository=_line(repository),
        clone=clone_name(repository),
        service_folders=_folders(service_folders),
        summary=_line(plan.summary),
        services=_line(", ".join(plan.affected_services)),
        causes=[_cause(cause) for cause in plan.root_causes],
        steps=[_step(step.title, step.detail) for step in plan.steps],
        files=[_line(file) for file in plan.files],
        debugging=[_line(text) for text in plan.debugging],
        verification=[_line(text) for text in plan.verification],
        publish={name: _line(text) for name, text in (publish or {}).items()},
        context=context_markdown.strip(),
        architecture=architecture_markdown.strip(),
    )


def render_retry(denials: Sequence[Denial], *, clone: str, base: str) -> str:
    """What the agent is told when its commits were denied.

    Args:
        denials: every reason.
        clone: the clone's folder.
        base: commit the work began at.
    """
    return _environment.from_string(_RETRY).render(
        denials=[_line(f"{d.path or 'the commits'}: {d.reason}") for d in denials],
        clone=clone,
        base=base,
    )


def _folders(folders: Sequence[str]) -> list[str]:
    cleaned = sorted({_line(folder).strip("/") or "." for folder in folders})
    return ["."] if not cleaned or "." in cleaned else cleaned


def _cause(cause: RootCause) -> dict[str, str]:
    place = " ".join(part for part in (cause.file, cause.function) if part)
    return {
        "service": _line(cause.service),
        "cause": _line(cause.cause),
        "evidence": _line(", ".join(cause.evidence)) or "none",
        "place": _line(place) or "not known",
        "confidence": f"{cause.confidence:.2f}",
    }


def _step(title: str, detail: str) -> str:
    return f"{_line(title)} — {_line(detail)}" if detail.strip() else _line(title)


def _line(text: str) -> str:
    """On one line, so that no text of a model can make a heading or a second step."""
    return " ".join(text.split())
