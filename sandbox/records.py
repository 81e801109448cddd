"""What the sandbox knows of a deployment: declared, observed, measured."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sandbox.blueprint import ServiceSpec
from sandbox.containers import Container

LEVELS = {"warning": "warn", "err": "error", "critical": "error", "fatal": "error"}


def utc_now() -> datetime:
    """Now; the sandbox lives in real time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class LogLine:
    """One line of a deployment's log."""

    at: datetime
    severity: str
    message: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request as the edge saw it."""

    at: datetime
    id: str
    method: str
    path: str
    host: str
    status: int
    total_ms: int
    upstream_ms: int
    details: str
    upstream_errors: str
    upstream_address: str
    source_ip: str
    user_agent: str
    received: int
    sent: int
    instance_id: str


@dataclass(frozen=True)
class Lookup:
    """One name that a service looked up."""

    at: datetime
    name: str
    code: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """One connection from a service to a peer."""

    at: datetime
    ended: datetime
    address: str
    port: int
    source_port: int
    sent: int
    latency_ms: float
    peer: ServiceSpec | None = None
    """The service it leads to; None for the internet."""
    drop_cause: str | None = None


@dataclass(frozen=True)
class Sample:
    """One second of one deployment."""

    ts: int
    values: dict[str, float]
    """By the platform's names of the measurements."""


@dataclass
class Step:
    """One step of a deploy."""

    name: str
    started: datetime
    completed: datetime | None = None
    error: str | None = None


@dataclass
class Execution:
    """One run of a cron service."""

    started: datetime
    id: str = field(default_factory=lambda: str(uuid4()))
    completed: datetime | None = None
    exit_status: int | None = None


def parse_line(stream: str, text: str, at: datetime) -> LogLine:
    """A line as the platform keeps it: severity by stream, or by the level of a JSON line."""
    severity = "error" if stream == "stderr" else "info"
    if text.startswith("{"):
        try:
            fields: dict[str, Any] = json.loads(text)
        except ValueError:
            return LogLine(at, severity, text)
        level = str(fields.pop("level", severity)).lower()
        message = str(fields.pop("message", text))
        attributes = {name: json.dumps(value) for name, value in fields.items()}
        return LogLine(at, LEVELS.get(level, level), message, attributes)
    return LogLine(at, severity, text)


@dataclass
class Deployment:
    """One deployment from its first step to its removal, with everything that was seen of it."""

    spec: ServiceSpec
    folder: Path
    commit: str | None = None
    message: str | None = None
    author: str | None = None
    branch: str | None = None
    reason: str = "deploy"
    id: str = field(default_factory=lambda: str(uuid4()))
    instance_id: str = field(default_factory=lambda: str(uuid4()))
    created: datetime = field(default_factory=utc_now)
    status: str = "QUEUED"
    status_changed: datetime = field(default_factory=utc_now)
    port: int = 0
    container: Container | None = None
    restarts: int = 0
    restart_at: float | None = None
    """On the monotonic clock; set while nothing runs."""
    next_execution: datetime | None = None
    """When a cron service runs again."""
    steps: list[Step] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    build_log: list[LogLine] = field(default_factory=list)
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=20_000))
    requests: deque[Request] = field(default_factory=lambda: deque(maxlen=20_000))
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=7_200))
    lookups: deque[Lookup] = field(default_factory=lambda: deque(maxlen=5_000))
    flows: deque[Flow] = field(default_factory=lambda: deque(maxlen=5_000))
    received: int = 0
    sent: int = 0

    def set_status(self, status: str) -> None:
        """Move on to a status."""
        self.status, self.status_changed = status, utc_now()

    def write(self, stream: str, text: str) -> None:
        """Keep a line of its output, with the paths a container would show."""
        self.log.append(parse_line(stream, text.replace(str(self.folder), "/app"), utc_now()))

    def note(self, severity: str, text: str) -> None:
        """Keep a line of the platform itself."""
        self.log.append(LogLine(utc_now(), severity, text))

    def build(self, text: str) -> None:
        """Keep a line of the build."""
        self.build_log.append(LogLine(utc_now(), "info", text))

    @property
    def is_running(self) -> bool:
        """Whether its process is up now."""
        return self.container is not None and self.container.exit_status is None

    @property
    def meta(self) -> dict[str, Any]:
        """What it was made from, as the platform names it."""
        if self.spec.image:
            return {"image": self.spec.image, "reason": self.reason}
        return {
            "repo": self.spec.repository,
            "branch": self.branch,
            "commitHash": self.commit,
            "commitMessage": self.message,
            "commitAuthor": self.author,
            "reason": self.reason,
        }


class Registry:
    """All deployments, oldest first, and which of them serve."""

    def __init__(self) -> None:
        self._deployments: list[Deployment] = []
        self._active: dict[str, Deployment] = {}
        self._lock = threading.Lock()

    def add(self, deployment: Deployment) -> None:
        """A deployment begins."""
        with self._lock:
            self._deployments.append(deployment)

    def activate(self, deployment: Deployment) -> Deployment | None:
        """Send traffic to a deployment; the one that served before."""
        with self._lock:
            before = self._active.get(deployment.spec.name)
            self._active[deployment.spec.name] = deployment
            return before

    def active(self, name: str) -> Deployment | None:
        """The deployment of a service that serves now."""
        return self._active.get(name)

    def all(self) -> list[Deployment]:
        """Every deployment, oldest first."""
        with self._lock:
            return list(self._deployments)

    def of(self, service_id: str) -> list[Deployment]:
        """The deployments of one service, oldest first."""
        return [d for d in self.all() if d.spec.id == service_id]
