"""A denied change goes back to the same session once, with the reasons."""

from __future__ import annotations

from autofix.change.job import FixJob, SessionLimits
from autofix.change.prompt import render_retry
from autofix.models import GateResult, SessionResult

PURPOSE = "gate-retry"
"""Of the message that carries the reasons."""


def retry_job(job: FixJob, judged: GateResult) -> FixJob:
    """The same session, asked to make one new commit that can be published."""
    prompt = render_retry(judged.denials, clone=job.workspace.clone, base=judged.base)
    return job.model_copy(update={"prompt": prompt, "purpose": PURPOSE})


def rest_of(limits: SessionLimits, spent: SessionResult) -> SessionLimits:
    """What the first turn left of the session's limits."""
    left = limits.length.total_seconds() - spent.seconds
    return limits.model_copy(
        update={
            "length": type(limits.length)(seconds=max(0.0, left)),
            "steps": max(0, limits.steps - spent.steps),
            "cost": max(0.0, limits.cost - spent.cost),
        }
    )


def add_turn(first: SessionResult, second: SessionResult) -> SessionResult:
    """Both turns as one session: how the second ended, what the two did and used."""
    return second.model_copy(
        update={
            "commands": (*first.commands, *second.commands),
            "steps": first.steps + second.steps,
            "cost": first.cost + second.cost,
            "seconds": first.seconds + second.seconds,
            "input_tokens": first.input_tokens + second.input_tokens,
            "output_tokens": first.output_tokens + second.output_tokens,
            "todos": second.todos or first.todos,
        }
    )
