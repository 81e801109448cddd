"""What a session of the agent is asked for, where it ends, and what a watcher is told."""

from __future__ import annotations

from datetime import timedelta

from autofix.change.ids import message_id, session_id
from autofix.change.turn import TurnState
from autofix.change.workspace import Workspace
from autofix.models import Model, Todo


class FixJob(Model):
    """What the agent is asked to do, and where."""

    workspace: Workspace
    title: str
    prompt: str
    work_ids: tuple[str, ...]
    purpose: str = "fix"

    @property
    def session_id(self) -> str:
        """The session of this fix."""
        return session_id(self.workspace.fix_id)

    @property
    def message_id(self) -> str:
        """The prompt of this purpose."""
        return message_id(self.workspace.fix_id, self.purpose)


class SessionLimits(Model):
    """Where a session ends, whatever the agent says."""

    length: timedelta = timedelta(minutes=30)
    steps: int = 120
    cost: float = 5.0
    """US dollars; counts only when the server knows the model's prices."""
    poll: timedelta = timedelta(seconds=1)
    start_grace: timedelta = timedelta(seconds=45)
    """How long a posted prompt may show no sign of life before it is posted again."""
    busy_grace: timedelta = timedelta(seconds=10)
    """How long a turn that reads as ended may still be busy."""
    compactions: int = 4
    """How often in a row the history may be compacted without anything being done."""
    lost_after: timedelta = timedelta(minutes=3)
    """How long the server may be unreachable."""
    posts: int = 3
    disk_mb: int = 4_000
    """What the fix's folder may take."""
    disk_every: timedelta = timedelta(seconds=30)
    """How often that is measured."""


class Progress(Model):
    """What a watcher is told whenever it changes."""

    state: TurnState
    waiting: str = ""
    """Why it waits, when the model's endpoint made it wait."""
    steps: int
    cost: float
    commands: int
    last_command: str
    todos: tuple[Todo, ...]
