"""Shapes as the OpenCode server sends them; unknown fields are ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Session(Wire):
    """A session as it is stored."""

    id: str
    directory: str
    title: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)


class SessionStatus(Wire):
    """``busy`` or ``retry``; idle sessions have no status."""

    type: str
    attempt: int | None = None
    message: str | None = None


class Times(Wire):
    """Milliseconds since the epoch, by the server's clock."""

    created: int = 0
    completed: int | None = None


class Cache(Wire):
    """Prompt tokens that came from or went to the provider's cache."""

    read: float = 0
    write: float = 0


class Tokens(Wire):
    """What one step used."""

    input: float = 0
    output: float = 0
    reasoning: float = 0
    cache: Cache = Cache()


class ErrorData(Wire):
    """Details of a failed turn."""

    message: str = ""
    status_code: int | None = Field(default=None, alias="statusCode")


class TurnError(Wire):
    """Why an assistant message ended without an answer."""

    name: str
    data: ErrorData = ErrorData()


class MessageInfo(Wire):
    """Head of a message; all but the first four fields are the assistant's."""

    id: str
    role: str
    time: Times = Times()
    parent_id: str | None = Field(default=None, alias="parentID")
    model_id: str = Field(default="", alias="modelID")
    finish: str | None = None
    error: TurnError | None = None
    cost: float = 0
    tokens: Tokens = Tokens()


class ToolState(Wire):
    """A tool call. A shell command that failed is ``completed``; its exit is in the metadata."""

    status: str
    input: dict[str, Any] = Field(default_factory=dict)
    output: str = ""
    error: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)


class Part(Wire):
    """One piece of a message: text, tool call or step boundary."""

    id: str = ""
    type: str
    text: str = ""
    synthetic: bool = False
    tool: str = ""
    state: ToolState | None = None


class Message(Wire):
    """A message with its parts."""

    info: MessageInfo
    parts: tuple[Part, ...] = ()


class PermissionRequest(Wire):
    """A tool call that waits, without limit, for somebody's permission."""

    id: str
    session_id: str = Field(alias="sessionID")
    permission: str
    patterns: tuple[str, ...] = ()


class Question(Wire):
    """A question of the agent that waits, without limit, for somebody's answer."""

    id: str
    session_id: str = Field(alias="sessionID")


class FileContent(Wire):
    """A file; binary content is base64."""

    type: str
    content: str


class ServerPath(Wire):
    """Folders of the server."""

    directory: str
