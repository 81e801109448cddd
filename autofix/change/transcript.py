"""A session as people read it afterwards: what was said, called and answered, within a bound."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from autofix.change.markdown import code, fence, inline
from autofix.change.opencode_wire import Message, Part, ToolState

CAP = 60_000
"""Characters of a transcript."""
_PART_CAP = 2_000
_COMMON = {"command", "filePath", "path", "pattern"}


def render_transcript(messages: Sequence[Message]) -> str:
    """Markdown of at most `CAP` characters; what is left out is left out of the middle."""
    blocks = [block for message in messages for block in _blocks(message)]
    size = sum(map(len, blocks))
    if size <= CAP:
        return "\n\n".join(["# Transcript", *blocks]) + "\n"
    head, tail = _fill(blocks, CAP // 3), _fill(blocks[::-1], CAP // 2)[::-1]
    left_out = len(blocks) - len(head) - len(tail)
    note = f"*{left_out} parts are left out here.*"
    return "\n\n".join(["# Transcript", *head, note, *tail]) + "\n"


def _fill(blocks: Sequence[str], cap: int) -> list[str]:
    taken, size = [], 0
    for block in blocks:
        size += len(block) + 2
        if size > cap:
            break
        taken.append(block)
    return taken


def _blocks(message: Message) -> Iterator[str]:
    who = "We asked" if message.info.role == "user" else "The agent"
    for part in message.parts:
        if part.type == "text" and part.text.strip():
            yield f"**{who}:**\n\n{fence(part.text, _PART_CAP)}"
        elif part.type == "tool" and part.state is not None:
            yield _call(part, part.state)
    if message.info.error is not None:
        error = message.info.error
        yield f"**Error:** {inline(f'{error.name}: {error.data.message}', 500)}"


def _call(part: Part, state: ToolState) -> str:
    main = next((str(state.input[name]) for name in _COMMON if state.input.get(name)), "")
    shown = main or json.dumps(state.input, ensure_ascii=False)[:300]
    status = state.metadata.get("exit")
    ended = f"exit status {status}" if isinstance(status, int) else state.status
    head = f"**{inline(part.tool)}** {code(shown)} → {inline(ended)}"
    result = state.output or state.error
    return f"{head}\n\n{fence(result, _PART_CAP)}" if result.strip() else head
