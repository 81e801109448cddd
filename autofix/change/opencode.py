"""Client of the OpenCode server: one method a call, typed in and out.

The server answers 200 also for turns that failed, and accepts prompts it will never run, so no
status code is taken for success: what happened is read from the messages.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import httpx
import stamina
from pydantic import TypeAdapter, ValidationError

from autofix.change.opencode_wire import (
    FileContent,
    Message,
    PermissionRequest,
    Question,
    ServerPath,
    Session,
    SessionStatus,
)
from autofix.errors import OpencodeError
from autofix.http import build_client
from autofix.models import Model, Todo
from autofix.redact import cut
from autofix.settings import Settings

T = TypeVar("T")

AGENT = "fixer"
_HEALTH_TIMEOUT = 2.0
_READ_TIMEOUT = 10.0
"""A server that restarts never answers what came too early: better asked again than waited for."""
_EXIT_LINE = re.compile(r"(?:\A|\n)autofix-exit:(\d+)\s*\Z")
_RETRIED_STATUS = frozenset({502, 503, 504})


class ShellResult(Model):
    """What a shell command printed, both streams together, and its exit status."""

    output: str
    exit_status: int


class OpencodeClient:
    """Talks to one OpenCode server. Reads are retried; writes are not, they are idempotent by id.

    Args:
        settings: address, user and password.
        transport: what carries requests; tests pass `httpx.MockTransport`.
    """

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        settings.require("opencode_url", "opencode_server_password")
        password = settings.opencode_server_password
        assert password is not None  # noqa: S101 - required above
        self._http = build_client(
            settings.opencode_url,
            auth=httpx.BasicAuth(settings.opencode_server_username, password.get_secret_value()),
            timeout=30.0,
            transport=transport,
        )

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    # ---------------------------------------------------------------- server

    def wait_until_healthy(self, timeout: float = 60.0) -> str:
        """The server's version, as soon as it answers; OpencodeError after `timeout` seconds.

        A request that arrives while the server starts is never answered, so each probe is short.
        """
        for attempt in stamina.retry_context(
            on=_is_retryable, attempts=None, timeout=timeout, wait_max=2.0
        ):
            with attempt:
                answer = self._once("GET", "/global/health", timeout=_HEALTH_TIMEOUT)
                found = answer if isinstance(answer, dict) else {}
                if found.get("healthy") is not True:
                    raise OpencodeError("the server says it is not healthy", retryable=True)
                return str(found.get("version", ""))
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def fetch_own_directory(self) -> str:
        """The folder the server was started in."""
        return self._read("/path", ServerPath).directory

    def dispose(self, directory: str) -> None:
        """Let the server forget what it holds in memory for this directory."""
        self._once("POST", "/instance/dispose", directory=directory)

    # ---------------------------------------------------------------- sessions

    def ensure_session(
        self,
        session_id: str,
        directory: str,
        *,
        title: str,
        metadata: Mapping[str, Any],
        permission: Sequence[Mapping[str, str]] = (),
    ) -> Session:
        """The session with this id in this directory, made if it is not there.

        Title, metadata and permission are set every time: a run may have died between the two
        requests, and a session without a title would make the server call the model for one.
        """
        self._once(
            "POST", "/api/session", json={"id": session_id, "location": {"directory": directory}}
        )
        answer = self._once(
            "PATCH",
            f"/session/{session_id}",
            directory=directory,
            json={"title": title, "metadata": dict(metadata), "permission": list(permission)},
        )
        session = _parse(Session, answer)
        if session.directory != directory:
            raise OpencodeError(f"session {session_id} belongs to another directory")
        return session

    def find_session(self, session_id: str) -> Session | None:
        """The session with this id; None when the server does not know it."""
        try:
            return self._read(f"/session/{session_id}", Session)
        except NotFoundError:
            return None

    def post_prompt(
        self, session_id: str, directory: str, *, message_id: str, part_id: str, text: str
    ) -> None:
        """Submit a prompt with our own ids. It may start nothing: read the messages to know."""
        self._once(
            "POST",
            f"/session/{session_id}/prompt_async",
            directory=directory,
            json={
                "messageID": message_id,
                "agent": AGENT,
                "parts": [{"id": part_id, "type": "text", "text": text}],
            },
        )

    def fetch_messages(self, session_id: str, directory: str) -> tuple[Message, ...]:
        """All messages of the session, oldest first."""
        return self._read(f"/session/{session_id}/message", tuple[Message, ...], directory)

    def fetch_todos(self, session_id: str, directory: str) -> tuple[Todo, ...]:
        """The agent's todo list."""
        found = self._read(f"/session/{session_id}/todo", list[dict[str, Any]], directory)
        return tuple(Todo(content=str(t["content"]), status=str(t["status"])) for t in found)

    def fetch_status(self, directory: str) -> dict[str, SessionStatus]:
        """What is going on in this directory; idle sessions are absent."""
        return self._read("/session/status", dict[str, SessionStatus], directory)

    def fetch_permissions(self, directory: str) -> tuple[PermissionRequest, ...]:
        """Tool calls of this directory that wait for a permission."""
        return self._read("/permission", tuple[PermissionRequest, ...], directory)

    def reject_permission(self, request_id: str, directory: str, message: str) -> None:
        """Refuse a tool call. The message matters: without one the turn would end silently."""
        body = {"reply": "reject", "message": message}
        try:
            self._once("POST", f"/permission/{request_id}/reply", directory=directory, json=body)
        except NotFoundError:
            return  # answered by somebody else, or left over from an aborted turn

    def fetch_questions(self, directory: str) -> tuple[Question, ...]:
        """Questions of this directory that wait for an answer."""
        return self._read("/question", tuple[Question, ...], directory)

    def reject_question(self, request_id: str, directory: str) -> None:
        """Leave a question unanswered; the turn goes on."""
        try:
            self._once("POST", f"/question/{request_id}/reject", directory=directory)
        except NotFoundError:
            return  # answered by somebody else, or left over from an aborted turn

    def abort(self, session_id: str, directory: str) -> None:
        """Stop the session's turn, its running shell command included."""
        self._once("POST", f"/session/{session_id}/abort", directory=directory)

    # ---------------------------------------------------------------- workspace

    def shell(
        self, session_id: str, directory: str, command: str, *, timeout: float = 300.0
    ) -> ShellResult:
        """Run a shell command in the directory, without any model.

        It becomes part of the session's history, so never use the fixing session. The server
        does not tell the exit status: the command prints it itself as its last line.
        """
        answer = self._once(
            "POST",
            f"/session/{session_id}/shell",
            directory=directory,
            json={"agent": AGENT, "command": _shell_line(command)},
            timeout=timeout,
        )
        parts = _parse(Message, answer).parts
        output = next((p.state.output for p in parts if p.type == "tool" and p.state), "")
        found = _EXIT_LINE.search(output)
        if found is None:
            raise OpencodeError("a shell command ended without its exit status")
        return ShellResult(output=output[: found.start()], exit_status=int(found[1]))

    def fetch_file(self, directory: str, path: str) -> bytes:
        """A file's bytes; `path` is relative to the directory."""
        content = self._read("/file/content", FileContent, directory, query={"path": path})
        if content.type != "binary":
            return content.content.encode()
        try:
            return base64.b64decode(content.content, validate=True)
        except binascii.Error as error:
            raise OpencodeError(f"{path} did not arrive whole") from error

    # ---------------------------------------------------------------- transport

    def _read(
        self,
        path: str,
        shape: type[T],
        directory: str | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> T:
        for attempt in stamina.retry_context(on=_is_retryable, attempts=4, timeout=40.0):
            with attempt:
                answer = self._once(
                    "GET", path, directory=directory, query=query, timeout=_READ_TIMEOUT
                )
                return _parse(shape, answer)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _once(
        self,
        method: str,
        path: str,
        *,
        directory: str | None = None,
        json: Any = None,
        timeout: float | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        params = dict(query or {}) | ({"directory": directory} if directory is not None else {})
        limit = self._http.timeout if timeout is None else httpx.Timeout(timeout, connect=10.0)
        try:
            response = self._http.request(method, path, params=params, json=json, timeout=limit)
        except httpx.TimeoutException as error:
            raise OpencodeError(f"no answer to {method} {path} in time", retryable=True) from error
        except httpx.HTTPError as error:
            name = type(error).__name__
            raise OpencodeError(f"{method} {path}: {name}", retryable=True) from error
        return _answer(response, f"{method} {path}")


def _shell_line(command: str) -> str:
    """The command and the print of its exit status, as one line of plain characters.

    The server puts what it is given into ``eval "…"`` as a JSON string, so variables would be
    expanded one time too many and line ends would arrive as a backslash and an n.
    """
    script = f"sh -c {shlex.quote(command)} </dev/null\nprintf '\\nautofix-exit:%s\\n' \"$?\"\n"
    return f"echo {base64.b64encode(script.encode()).decode()} | base64 -d | sh"


class NotFoundError(OpencodeError):
    """The server does not know what was asked for."""


class PasswordError(OpencodeError):
    """The server takes another password."""


def _answer(response: httpx.Response, call: str) -> Any:
    if response.is_success:
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError as error:
            raise OpencodeError(f"{call} answered something that is no JSON") from error
    if response.status_code == httpx.codes.UNAUTHORIZED:
        raise PasswordError("wrong password: OPENCODE_SERVER_PASSWORD is not the server's")
    kind = NotFoundError if response.status_code == httpx.codes.NOT_FOUND else OpencodeError
    raise kind(
        f"{call} answered {response.status_code}: {_reason(response)}",
        retryable=response.status_code in _RETRIED_STATUS,
    )


def _reason(response: httpx.Response) -> str:
    try:
        body = response.json()
        return cut(f"{body['name']}: {body['data']['message']}", 300)
    except (ValueError, KeyError, TypeError):
        return cut(response.text, 200) or "empty body"


def _parse(shape: type[T], answer: Any) -> T:
    try:
        return TypeAdapter(shape).validate_python(answer)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise OpencodeError(f"unexpected answer at '{where}': {first['msg']}") from error


def _is_retryable(error: Exception) -> bool:
    return isinstance(error, OpencodeError) and error.retryable
