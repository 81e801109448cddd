"""A session and its commits as people read them, while it runs and when it is over."""

from __future__ import annotations

from collections.abc import Sequence

from autofix.change.job import Progress
from autofix.change.markdown import code, fence, inline
from autofix.models import CommandRun, GateResult, SessionResult, Todo

PATCH_CAP = 20_000
"""Characters of the patch that are shown."""

_MARKS = {"completed": "x", "cancelled": "-"}


def render_progress(attach: str, progress: Progress | None) -> str:
    """The running session: todo list, current command, cost so far, and how to watch it live.

    Args:
        attach: the command line that opens the session in a terminal.
        progress: how far it is; None before the first look.
    """
    parts = [
        "# The agent at work",
        "Watch it live (the password is read from `OPENCODE_SERVER_PASSWORD`):",
        f"```bash\n{attach}\n```",
    ]
    if progress is None:
        return "\n\n".join([*parts, "The workspace is ready; nothing has been done yet."]) + "\n"
    parts.append(
        f"{progress.state} · {progress.steps} steps · {progress.commands} commands · "
        f"${progress.cost:.4f}"
    )
    if progress.waiting:
        parts.append(f"It waits to ask the model again, {inline(progress.waiting)}")
    if progress.todos:
        parts += ["## Todo", _todos(progress.todos)]
    if progress.last_command:
        parts += ["## Last command", fence(progress.last_command)]
    return "\n\n".join(parts) + "\n"


def render_change(session: SessionResult, judged: GateResult) -> str:
    """What the agent did and what the gate says; the patch stays here when it was denied."""
    verdict = "allowed" if judged.allowed else "**denied**"
    parts = [
        "# Change",
        (
            f"Session `{session.session_id}` ended as **{session.end}** after {session.steps} "
            f"steps, ${session.cost:.4f}. Gate: {verdict}."
        ),
    ]
    if judged.denials:
        denials = [f"- {code(d.rule)} {code(d.path)}: {inline(d.reason)}" for d in judged.denials]
        parts += ["## Why it was denied", "\n".join(denials)]
    if judged.files:
        files = [f"- {code(f.path)} ({f.status}, +{f.added} −{f.removed})" for f in judged.files]
        parts += ["## Files", "\n".join(files)]
    if session.todos:
        parts += ["## Todo", _todos(session.todos)]
    if session.commands:
        parts += ["## Commands", _commands(session.commands)]
    if judged.patch:
        parts += ["## Patch", fence(judged.patch, cap=PATCH_CAP)]
    return "\n\n".join(parts) + "\n"


def _todos(todos: Sequence[Todo]) -> str:
    return "\n".join(f"- [{_MARKS.get(todo.status, ' ')}] {inline(todo.content)}" for todo in todos)


def _commands(commands: Sequence[CommandRun]) -> str:
    rows = [
        f"| {code(run.command.replace('|', '¦'))} | {'–' if run.exit_status is None else run.exit_status} |"
        for run in commands
    ]
    return "\n".join(["| command | exit status |", "| --- | --- |", *rows])
