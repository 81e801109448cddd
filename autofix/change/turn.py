"""Reads one turn of the agent from the messages of its session: the only truth about it.

A turn is our prompt and the assistant messages whose parent it is. When the server compacts a
long session it goes on under a message of its own making, which counts as the same turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from autofix.change.opencode_wire import Message, Part
from autofix.models import CommandRun, Model


class TurnState(StrEnum):
    """How far a turn is, by its newest assistant message."""

    absent = "absent"
    """There is no assistant message yet."""
    open = "open"
    """Runs if the session is busy, else a dead server cut it."""
    finished = "finished"
    failed = "failed"
    aborted = "aborted"


class Turn(Model):
    """One turn, with everything that is counted."""

    state: TurnState
    reason: str = ""
    steps: int = 0
    cost: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    """From our prompt to the newest sign of life, by the server's clock."""
    commands: tuple[CommandRun, ...] = ()
    answer: str = ""
    model: str = ""


def read_turn(messages: Sequence[Message], message_id: str) -> Turn:
    """The turn that our message began."""
    ours, answers = _messages_of(messages, message_id)
    parts = [part for answer in answers for part in answer.parts]
    state, reason = _judge(answers)
    tokens = [answer.info.tokens for answer in answers]
    return Turn(
        state=state,
        reason=reason,
        steps=sum(part.type == "step-finish" for part in parts),
        cost=sum(answer.info.cost for answer in answers),
        input_tokens=int(sum(t.input + t.cache.read + t.cache.write for t in tokens)),
        output_tokens=int(sum(t.output + t.reasoning for t in tokens)),
        seconds=_seconds(ours, answers),
        commands=tuple(_commands(parts)),
        answer=_closing_words(answers) if state is TurnState.finished else "",
        model=answers[-1].info.model_id if answers else "",
    )


def _messages_of(
    messages: Sequence[Message], message_id: str
) -> tuple[Message | None, list[Message]]:
    ours: Message | None = None
    parents = {message_id}
    answers = []
    for message in messages:
        if message.info.id == message_id:
            ours = message
        elif message.info.role == "user" and ours is not None and _is_continuation(message):
            parents.add(message.info.id)
        elif message.info.role == "assistant" and message.info.parent_id in parents:
            answers.append(message)
    return ours, answers


def _is_continuation(message: Message) -> bool:
    return bool(message.parts) and all(
        part.type == "compaction" or (part.type == "text" and part.synthetic)
        for part in message.parts
    )


def _judge(answers: Sequence[Message]) -> tuple[TurnState, str]:
    if not answers:
        return TurnState.absent, ""
    last = answers[-1].info
    if last.error is not None:
        if last.error.name == "MessageAbortedError":
            return TurnState.aborted, "the turn was aborted"
        code = last.error.data.status_code
        status = f" {code}" if code else ""
        return TurnState.failed, f"{last.error.name}{status}: {last.error.data.message}"[:500]
    if last.time.completed is None or last.finish == "tool-calls":
        return TurnState.open, ""
    if last.finish is None:
        return TurnState.aborted, "the turn was aborted while it waited to retry the model"
    if last.finish == "stop":
        return TurnState.finished, ""
    if last.finish == "length":
        return TurnState.failed, "the model's answer was cut at its output limit"
    return TurnState.failed, f"the model ended its answer with '{last.finish}'"


def _seconds(ours: Message | None, answers: Sequence[Message]) -> float:
    if ours is None:
        return 0.0
    times = (t for a in answers for t in (a.info.time.created, a.info.time.completed))
    newest = max((t for t in times if t is not None), default=ours.info.time.created)
    return max(0.0, (newest - ours.info.time.created) / 1000)


def _commands(parts: Sequence[Part]) -> list[CommandRun]:
    runs = []
    for part in parts:
        if part.type != "tool" or part.tool != "bash" or part.state is None:
            continue
        status = part.state.metadata.get("exit")
        runs.append(
            CommandRun(
                command=str(part.state.input.get("command", "")),
                exit_status=status if isinstance(status, int) else None,
            )
        )
    return runs


def _closing_words(answers: Sequence[Message]) -> str:
    return "\n".join(part.text for part in answers[-1].parts if part.type == "text").strip()
