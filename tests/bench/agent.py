"""The agent's server: memory over sessions, and how soon a finished turn is a pull request."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from autofix.change.gate import GateOptions, load_rules
from autofix.change.github import GithubClient
from autofix.change.job import SessionLimits
from autofix.change.publish import publish
from autofix.change.workspace import fetch_bundle, remove_workspace
from autofix.models import SessionEnd
from tests.e2e.line import COMMIT, EDIT, REPOSITORY, Line, change, script, serve_line

SESSIONS = 10


def _memory(line: Line) -> float:
    """Resident megabytes of the server and what it started."""
    servers = [
        process
        for process in psutil.process_iter(["cmdline"])
        if f"--port {line.server.port}" in " ".join(process.info["cmdline"] or ())
    ]
    return sum(process.memory_info().rss for process in servers) / 1e6


def _publish(line: Line, number: int) -> float:
    """Seconds from the end of a turn to its open pull request."""
    workspace = line.prepare(f"bench{number}")
    session = line.work(workspace, SessionLimits())
    assert session.end is SessionEnd.completed, session.reason
    folder = line.root / workspace.fix_id
    folder.mkdir()
    messages = line.client.fetch_messages(session.session_id, workspace.directory)
    ended = (messages[-1].info.time.completed or 0) / 1000  # the server's clock is this machine's
    with GithubClient(line.settings) as github:
        pull = publish(
            fetch_bundle(line.client, line.settings, workspace),
            change(workspace),
            settings=line.settings,
            github=github,
            options=GateOptions(),
            render=lambda _: "body",
            workdir=folder,
        )
    seconds = time.time() - ended
    assert pull.draft
    assert pull.repository == REPOSITORY
    remove_workspace(line.client, workspace)
    return seconds


def main() -> None:
    """One line a session."""
    load_rules()  # a flow compiles them while the agent works
    table = Table("session", "memory MB", "end of turn to draft s")
    seconds, memory = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_line(Path(folder), script(EDIT, COMMIT)) as line,
    ):
        table.add_row("before", f"{_memory(line):.0f}", "")
        for number in range(1, SESSIONS + 1):
            seconds.append(_publish(line, number))
            memory.append(_memory(line))
            table.add_row(str(number), f"{memory[-1]:.0f}", f"{seconds[-1]:.2f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"sessions one after the other, each in a folder of its own: at most {max(memory):.0f} MB; "
        f"slowest draft {max(seconds):.2f} s after the turn, the watcher's poll included (bound 5 s)"
    )
    assert max(seconds) <= 5, "a pull request takes too long"
