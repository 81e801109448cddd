"""One more turn of the agent on its open pull request: what it answers to, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from pydantic import AwareDatetime, Field

from autofix.change.ids import message_id
from autofix.change.job import FixJob
from autofix.change.markdown import code, inline
from autofix.change.opencode_wire import Message
from autofix.change.workspace import Workspace
from autofix.models import GateResult, Model, SessionEnd, SessionResult

_TEMPLATE = (
    files("autofix.change").joinpath("prompts", "answer.md.jinja").read_text(encoding="utf-8")
)
_environment = Environment(
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - markdown for a model, not HTML
)
_WORDS_CAP = 600
_FILES_SHOWN = 8


class FollowUp(Model):
    """Failing checks or a review on an open pull request, for the agent that made it."""

    pull_request: int = Field(description="Its number")
    turn: str = Field(pattern=r"^turn-\d+$", description="Which answer this is, such as turn-1")
    head: str = Field(pattern=r"^[0-9a-f]{40,64}$", description="Newest commit when it was asked")
    commits: int = Field(ge=1, description="Commits of the pull request at that time, all ours")
    made_by: str = Field(description="Id of the run that opened the pull request")
    what: str = Field(max_length=200, description="What is answered, in a few words")
    material: str = Field(max_length=12_000, description="What checks and people said, redacted")
    asked_at: AwareDatetime


def render_answer_prompt(follow_up: FollowUp, material: str, *, clone: str) -> str:
    """What the agent is told.

    Args:
        follow_up: what is asked.
        material: what others wrote, redacted and fenced by the caller.
        clone: the clone's folder.
    """
    return _environment.from_string(_TEMPLATE).render(
        number=follow_up.pull_request,
        what=" ".join(follow_up.what.split()),
        clone=clone,
        head=follow_up.head,
        material=material,
    )


def answer_job(
    workspace: Workspace,
    follow_up: FollowUp,
    prompt: str,
    first_prompt: str,
    messages: Sequence[Message],
    *,
    title: str,
    work_ids: Sequence[str],
) -> FixJob:
    """A turn in the session that made the change, or in a new one that is told all of it.

    Args:
        workspace: a clone at the published commit.
        follow_up: what is asked.
        prompt: see `render_answer_prompt`.
        first_prompt: the one that the change was made from; for a session that was lost.
        messages: of the session; none when the server does not know it.
        title: of the session.
        work_ids: of the fix.
    """
    first = message_id(workspace.fix_id, FixJob.model_fields["purpose"].default)
    known = any(message.info.id == first for message in messages)
    return FixJob(
        workspace=workspace,
        title=title,
        prompt=prompt if known else f"{first_prompt}\n## What is asked now\n\n{prompt}",
        work_ids=tuple(work_ids),
        purpose=follow_up.turn,
    )


def render_answer(
    follow_up: FollowUp, session: SessionResult, judged: GateResult | None, commit: str | None
) -> str:
    """The comment that ends a turn: what was pushed, or why nothing was.

    Args:
        follow_up: what was asked.
        session: how the agent's turn ended.
        judged: what the gate said; None without commits.
        commit: what was pushed.
    """
    parts = [f"Answer to {inline(follow_up.what)}: {_came_to(session, judged, commit)}"]
    if judged is not None and judged.allowed:
        parts.append(_files(judged))
    if session.answer:
        parts.append(f"The agent's closing words, unchecked: {inline(session.answer[:_WORDS_CAP])}")
    return "\n\n".join(parts)


def _came_to(session: SessionResult, judged: GateResult | None, commit: str | None) -> str:
    if commit is not None:
        return f"pushed {code(commit[:12])}, after the same gate as before."
    if judged is not None and not judged.allowed:
        reasons = "; ".join(
            f"{inline(d.path) or 'the commits'}: {inline(d.reason)}" for d in judged.denials[:3]
        )
        return f"the gate refused what the agent made of it ({reasons}). Nothing was pushed."
    if session.end is SessionEnd.nothing_to_change:
        return "the agent changed nothing."
    return f"the agent came to no end ({session.end.value}: {inline(session.reason)}). Nothing was pushed."


def _files(judged: GateResult) -> str:
    lines = [f"- {code(f.path)} +{f.added} −{f.removed}" for f in judged.files[:_FILES_SHOWN]]
    more = len(judged.files) - len(lines)
    note = "The whole pull request now changes:"
    return "\n".join([note, "", *lines, *([f"- and {more} more"] if more > 0 else [])])
