"""An OpenCode server in memory, as far as the client and the supervisor see it."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import httpx

HEAD = "b" * 40


class OpencodeApp(httpx.MockTransport):
    """Sessions, messages and permissions that a test sets; writes are recorded."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.sessions: dict[str, dict[str, Any]] = {}
        self.messages: list[dict[str, Any]] = []
        self.busy: set[str] = set()
        self.permissions: list[dict[str, Any]] = []
        self.questions: list[dict[str, Any]] = []
        self.todos: list[dict[str, Any]] = []
        self.status: dict[str, Any] = {"type": "busy"}
        self.unauthorized = False
        self.writes: list[tuple[str, Any]] = []
        self.shell_output = f"{HEAD}\n\nautofix-exit:0\n"
        self.files: dict[str, bytes] = {}
        self.down = 0
        """So many requests are refused first."""
        self.on_prompt = self.on_abort = lambda: None

    def posted(self, path: str) -> int:
        return sum(path in written for written, _ in self.writes)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            self.down -= 1
            raise httpx.ConnectError("refused", request=request)
        assert request.headers["Authorization"].startswith("Basic ")
        if self.unauthorized:
            return httpx.Response(401)
        body = json.loads(request.content) if request.content else None
        path = request.url.path
        if request.method != "GET":
            self.writes.append((f"{request.method} {path}", body))
        return self._read(request, path) if request.method == "GET" else self._write(path, body)

    def _read(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/global/health":
            return httpx.Response(200, json={"healthy": True, "version": "1.18.33"})
        if path == "/path":
            return httpx.Response(200, json={"directory": "/work", "home": "/home"})
        if path == "/session/status":
            return httpx.Response(200, json=dict.fromkeys(self.busy, self.status))
        if path == "/permission":
            return httpx.Response(200, json=self.permissions)
        if path == "/question":
            return httpx.Response(200, json=self.questions)
        if path == "/file/content":
            content = self.files[request.url.params["path"]]
            encoded = base64.b64encode(content).decode()
            return httpx.Response(200, json={"type": "binary", "content": encoded})
        if path.endswith("/message") and path.split("/")[2] in self.sessions:
            return httpx.Response(200, json=self.messages)
        if path.endswith("/todo"):
            return httpx.Response(200, json=self.todos)
        found = self.sessions.get(path.rpartition("/")[2])
        if found is None:
            error = {"name": "NotFoundError", "data": {"message": "no such session"}}
            return httpx.Response(404, json=error)
        return httpx.Response(200, json=found)

    def _write(self, path: str, body: Any) -> httpx.Response:
        if path == "/api/session":
            made = {"id": body["id"], "directory": body["location"]["directory"]}
            return httpx.Response(200, json=self.sessions.setdefault(body["id"], made))
        if path.endswith("/prompt_async"):
            self.on_prompt()
            return httpx.Response(204)
        if path.endswith("/abort"):
            self.on_abort()
        if path.endswith("/shell"):
            state = {"status": "completed", "output": self.shell_output}
            part = {"type": "tool", "tool": "bash", "state": state}
            info = {"id": "msg_shell", "role": "assistant"}
            return httpx.Response(200, json={"info": info, "parts": [part]})
        if re.fullmatch(r"/session/[^/]+", path):
            session = self.sessions[path.rpartition("/")[2]]
            session.update(body)
            return httpx.Response(200, json=session)
        return httpx.Response(200, json=True)


def assistant(parent: str, **info: Any) -> dict[str, Any]:
    """An assistant message that answers `parent`; finished unless told otherwise."""
    parts = info.pop("parts", [{"type": "step-finish"}])
    defaults = {
        "id": "msg_a",
        "role": "assistant",
        "parentID": parent,
        "modelID": "m",
        "finish": "stop",
        "cost": 0.25,
        "time": {"created": 61_000, "completed": 121_000},
        "tokens": {"input": 100, "output": 10, "reasoning": 5, "cache": {"read": 20, "write": 0}},
    }
    return {"info": {**defaults, **info}, "parts": parts}


def user(message_id: str, **part: Any) -> dict[str, Any]:
    """A user message."""
    info = {"id": message_id, "role": "user", "time": {"created": 1_000}}
    return {"info": info, "parts": [{"type": "text", "text": "go", **part}]}


def bash(command: str, status: int | None) -> dict[str, Any]:
    """A part: a shell command with its exit status."""
    state = {"status": "completed", "input": {"command": command}, "metadata": {"exit": status}}
    return {"type": "tool", "tool": "bash", "state": state}
