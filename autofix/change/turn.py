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
    refused = "refused"
    """The model declined to answer."""
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
    compactions: int = 0
    """How often the history was compacted since the last tool call."""
    answer: str = ""
    model: str = ""


def read_turn(messages: Sequence[Message], message_id: str) -> Turn:
    """The turn that our message began."""
    ours, answers, summaries = _messages_of(messages, message_id)
    parts = [part for answer in answers for part in answer.parts]
    state, reason = _judge(answers, summaries)
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
        compactions=_compactions(answers, summaries),
        answer=_closing_words(answers) if state is TurnState.finished else "",
        model=answers[-1].info.model_id if answers else "",
    )


def _messages_of(
    messages: Sequence[Message], message_id: str
) -> tuple[Message | None, list[Message], set[str]]:
    """Our prompt, what answers it, and the ids of the server's own requests for a summary."""
    ours: Message | None = None
    parents = {message_id}
    summaries = set()
    answers = []
    for message in messages:
        if message.info.id == message_id:
            ours = message
        elif message.info.role == "user" and ours is not None and _is_continuation(message):
            parents.add(message.info.id)
            if any(part.type == "compaction" for part in message.parts):
                summaries.add(message.info.id)
        elif message.info.role == "assistant" and message.info.parent_id in parents:
            answers.append(message)
    return ours, answers, summaries


def _is_continuation(message: Message) -> bool:
    return bool(message.parts) and all(
        part.type == "compaction" or (part.type == "text" and part.synthetic)
        for part in message.parts
    )


def _compactions(answers: Sequence[Message], summaries: set[str]) -> int:
    count = 0
    for answer in answers:
        if answer.info.parent_id in summaries:
            count += 1
        elif any(part.type == "tool" for part in answer.parts):
            count = 0
    return count


def _judge(answers: Sequence[Message], summaries: set[str]) -> tuple[TurnState, str]:
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
    if last.parent_id in summaries:
        return TurnState.open, ""  # the summary is written, and the work goes on after it
    if last.finish is None:
        return TurnState.aborted, "the turn was aborted while it waited to retry the model"
    if last.finish == "stop":
        return TurnState.finished, ""
    if last.finish in {"content-filter", "refusal"}:
        return TurnState.refused, f"the model declined to answer ({last.finish})"
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
