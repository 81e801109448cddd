"""An OpenAI-compatible model that plays a written script, over a real socket.

It remembers nothing: which step comes next is read from how many tool results the request holds.
"""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """The model calls a tool."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What the endpoint does to one request in place of an answer."""

    status: int = 200
    message: str = "try again"
    code: str = ""
    retry_after: int | None = 1
    """Sent along, so that nobody waits out a back-off."""
    cut: bool = False
    """The stream ends in the middle."""
    hang: float = 0
    """Seconds without an answer, or until the other side is gone."""


@dataclass
class ScriptedModel:
    """Tool calls, one a step, then closing words."""

    calls: Sequence[Call]
    closing: str = "Done."
    requests: list[dict[str, Any]] = field(default_factory=list)
    later: Sequence[Sequence[Call]] = ()
    """Tool calls for the second prompt of a session and those after it."""
    status: int = 200
    """Other than 200: every request is refused with it."""
    faults: list[Fault] = field(default_factory=list)
    """One a request, before anything is answered."""

    def told(self) -> str:
        """The newest prompt that it was sent."""
        messages = self.requests[-1]["messages"]
        return json.dumps([m for m in messages if m["role"] == "user"][-1], ensure_ascii=False)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if not request.get("tools"):
            return {"content": "A title"}
        self.requests.append(request)
        roles = [message["role"] for message in request["messages"]]
        prompts = [place for place, role in enumerate(roles) if role == "user"]
        calls = [self.calls, *self.later][min(len(prompts) - 1, len(self.later))]
        done = roles[prompts[-1] :].count("tool")
        if done >= len(calls):
            return {"content": self.closing}
        call = calls[done]
        function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
        return {
            "tool_calls": [
                {
                    "index": 0,
                    "id": f"call_{len(prompts)}_{done}",
                    "type": "function",
                    "function": function,
                }
            ]
        }


@contextmanager
def serve_model(model: ScriptedModel) -> Iterator[str]:
    """The base URL of a server for the model."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if request.get("tools") and model.faults:
                self._fail(model.faults.pop(0))
                return
            self.send_response(model.status)
            if model.status != 200:
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b'{"error":{"message":"the key is not valid"}}')
                return
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for chunk in _chunks(model.answer(request)):
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

        def _fail(self, fault: Fault) -> None:
            if fault.hang:
                select.select([self.connection], [], [], fault.hang)
                return
            self.send_response(fault.status)
            if fault.retry_after is not None:
                self.send_header("Retry-After", str(fault.retry_after))
            if fault.cut:
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                first = next(iter(_chunks({"content": "I begin"})))
                self.wfile.write(f"data: {json.dumps(first)}\n\n".encode())
                return
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            error = {"message": fault.message, "code": fault.code, "type": fault.code}
            self.wfile.write(json.dumps({"error": error}).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _chunks(delta: dict[str, Any]) -> Iterator[dict[str, Any]]:
    finish = "tool_calls" if "tool_calls" in delta else "stop"
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    first = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}
    yield {**head, "choices": [first]}
    yield {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    yield {**head, "choices": [], "usage": usage}
