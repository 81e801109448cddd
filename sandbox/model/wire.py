"""Chat completions as they go over the wire, whole and in chunks."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MODEL = "rehearsal-scripted"
CHARACTERS_PER_TOKEN = 4
_PIECE = 200


@dataclass(frozen=True)
class ToolCall:
    """A tool the model wants to be called."""

    name: str
    arguments: dict[str, Any]

    def identify(self, turn: int) -> str:
        """An id that is the same whenever the same request is answered again."""
        text = json.dumps([turn, self.name, self.arguments], sort_keys=True)
        return "call_" + hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Reply:
    """What the model says: words, a tool call, or both."""

    text: str = ""
    call: ToolCall | None = None


@dataclass(frozen=True)
class Message:
    """One message of a conversation, its content flattened to text."""

    role: str
    text: str
    calls: tuple[str, ...] = ()
    """Names of the tools an assistant message calls."""


@dataclass(frozen=True)
class ChatRequest:
    """A request, reduced to what matters here."""

    messages: tuple[Message, ...]
    tools: frozenset[str]
    stream: bool
    include_usage: bool
    size: int
    """Characters of messages and tools, for the usage."""
    forced: str | None = field(default=None)
    """The one tool that must be called."""

    def last_user(self) -> int:
        """Index of the newest user message; -1 when there is none."""
        found = [i for i, message in enumerate(self.messages) if message.role == "user"]
        return found[-1] if found else -1


def parse_request(body: Any) -> ChatRequest:
    """A request from its JSON; TypeError when it is not one."""
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
        raise TypeError("messages must be a list")
    choice = body.get("tool_choice")
    functions = [tool["function"] for tool in body.get("tools") or ()]
    return ChatRequest(
        messages=tuple(map(_parse_message, body["messages"])),
        tools=frozenset(function["name"] for function in functions),
        stream=body.get("stream") is True,
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        size=len(json.dumps([body["messages"], functions])),
        forced=choice["function"]["name"] if isinstance(choice, dict) else None,
    )


def _parse_message(raw: dict[str, Any]) -> Message:
    content = raw.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content)
    calls = tuple(call["function"]["name"] for call in raw.get("tool_calls") or ())
    return Message(raw["role"], content, calls)


def render_completion(request: ChatRequest, reply: Reply) -> dict[str, Any]:
    """The whole answer at once."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.call:
        message["tool_calls"] = [_call(request, reply.call)]
    choice = {"index": 0, "message": message, "finish_reason": _finish(reply), "logprobs": None}
    head = _head(request, "chat.completion")
    return {**head, "choices": [choice], "usage": _usage(request, reply)}


def render_stream(request: ChatRequest, reply: Reply) -> Iterator[str]:
    """The answer as server-sent events."""
    head = _head(request, "chat.completion.chunk")
    for delta in _deltas(request, reply):
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    last = {"index": 0, "delta": {}, "finish_reason": _finish(reply)}
    yield _event({**head, "choices": [last]})
    if request.include_usage:
        yield _event({**head, "choices": [], "usage": _usage(request, reply)})
    yield "data: [DONE]\n\n"


def _deltas(request: ChatRequest, reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for piece in _pieces(reply.text):
        yield {"content": piece}
    if reply.call:
        call = _call(request, reply.call)
        arguments = call["function"].pop("arguments")
        first = {"index": 0, **call, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [first]}
        for piece in _pieces(arguments):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _pieces(text: str) -> Iterator[str]:
    return (text[i : i + _PIECE] for i in range(0, len(text), _PIECE))


def _call(request: ChatRequest, call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments)}
    return {"id": call.identify(len(request.messages)), "type": "function", "function": function}


def _head(request: ChatRequest, kind: str) -> dict[str, Any]:
    name = hashlib.sha256(repr(request.messages).encode()).hexdigest()[:24]
    return {"id": f"chatcmpl-{name}", "object": kind, "created": int(time.time()), "model": MODEL}


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.call else "stop"


def _usage(request: ChatRequest, reply: Reply) -> dict[str, int]:
    said = len(reply.text) + (len(json.dumps(reply.call.arguments)) if reply.call else 0)
    prompt, completion = request.size // CHARACTERS_PER_TOKEN, said // CHARACTERS_PER_TOKEN + 1
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"
