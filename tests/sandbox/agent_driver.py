"""Stands in for OpenCode: asks the model endpoint and carries out its tool calls for real."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx

TOOLS = ("bash", "edit", "glob", "grep", "read", "todowrite", "webfetch", "write")


class Driver:
    """One conversation in one working directory."""

    def __init__(self, address: str, directory: Path) -> None:
        self.address = address
        self.directory = directory
        self.messages: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.results: list[str] = []
        self.todos: list[list[dict[str, str]]] = []

    def run(self, prompt: str, most: int = 40) -> str:
        """The model's closing words."""
        self.messages.append({"role": "system", "content": "You are an agent."})
        self.messages.append({"role": "user", "content": prompt})
        for _ in range(most):
            message = self.ask()
            self.messages.append(message)
            if not message.get("tool_calls"):
                return str(message["content"])
            for call in message["tool_calls"]:
                arguments = json.loads(call["function"]["arguments"])
                result = self.carry_out(call["function"]["name"], arguments)
                self.messages.append(
                    {"role": "tool", "tool_call_id": call["id"], "content": result}
                )
        raise AssertionError("the model does not come to an end")

    def ask(self) -> dict[str, Any]:
        """The model's next message."""
        tools = [
            {"type": "function", "function": {"name": name, "parameters": {}}} for name in TOOLS
        ]
        body = {"model": "m", "messages": self.messages, "tools": tools, "tool_choice": "auto"}
        answer = httpx.post(f"{self.address}/chat/completions", json=body, timeout=30)
        answer.raise_for_status()
        message: dict[str, Any] = answer.json()["choices"][0]["message"]
        return message

    def carry_out(self, name: str, arguments: dict[str, Any]) -> str:
        """A tool's result in the words OpenCode uses."""
        self.calls.append((name, arguments))
        result = {
            "bash": self._bash,
            "read": self._read,
            "edit": self._edit,
            "todowrite": self._todowrite,
        }[name](arguments)
        self.results.append(result)
        return result

    def _bash(self, arguments: dict[str, Any]) -> str:
        done = subprocess.run(
            ["bash", "-c", arguments["command"]],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    def _read(self, arguments: dict[str, Any]) -> str:
        path = self.directory / arguments["filePath"]
        if not path.is_file():
            return f"File not found: {path}"
        lines = path.read_text().splitlines()
        shown = "\n".join(f"{n}: {line}" for n, line in enumerate(lines, 1))
        end = f"(End of file - total {len(lines)} lines)"
        return f"<path>{path}</path>\n<type>file</type>\n<content>\n{shown}\n\n{end}\n</content>"

    def _edit(self, arguments: dict[str, Any]) -> str:
        path = self.directory / arguments["filePath"]
        text = path.read_text()
        count = text.count(arguments["oldString"])
        if count != 1:
            return f"Found {count} matches for oldString."
        path.write_text(text.replace(arguments["oldString"], arguments["newString"]))
        return "Edit applied successfully."

    def _todowrite(self, arguments: dict[str, Any]) -> str:
        self.todos.append(arguments["todos"])
        return json.dumps(arguments["todos"], indent=2)
