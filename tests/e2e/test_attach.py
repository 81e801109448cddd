"""The command line that a person is shown really opens the session."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from autofix.change.attach import attach_command
from autofix.change.ids import message_id, part_id, session_id
from autofix.change.opencode import OpencodeClient
from tests.support.opencode_server import (
    BINARY,
    PASSWORD,
    OpencodeServer,
    make_settings,
    serve_opencode,
)
from tests.support.scripted_model import Call, ScriptedModel, serve_model

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not BINARY.exists(), reason="OpenCode is installed by make setup"),
]

FIX = "attach-test"
_ESCAPES = re.compile(r"\x1b(\[[0-9;?<>=$]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|[PX^_].*?\x1b\\|.)")


def _screen(command: list[str], environment: dict[str, str], wanted: str, seconds: float) -> str:
    """What the program draws on a pseudo-terminal until the wanted text is there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment,
        start_new_session=True,
    )
    os.close(slave)
    drawn, deadline = "", time.monotonic() + seconds
    try:
        while wanted not in _ESCAPES.sub("", drawn) and time.monotonic() < deadline:
            if select.select([master], [], [], 0.5)[0]:
                drawn += os.read(master, 65536).decode(errors="replace")
    except OSError:
        pass  # the program ended, and with it the terminal
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)
    return _ESCAPES.sub("", drawn)


def _run_session(server: OpencodeServer, client: OpencodeClient) -> Path:
    directory = server.workspace / FIX
    directory.mkdir(parents=True)
    client.ensure_session(session_id(FIX), str(directory), title="Repair", metadata={})
    client.post_prompt(
        session_id(FIX),
        str(directory),
        message_id=message_id(FIX, "fix"),
        part_id=part_id(FIX, "fix"),
        text="Repair it.",
    )
    return directory


def test_the_attach_line_shows_the_running_session(tmp_path: Path) -> None:
    """In a pseudo-terminal, with the password in the environment only, the agent's words appear."""
    model = ScriptedModel(
        [Call("bash", {"command": "echo looking", "description": "look"})], "Mended"
    )
    with (
        serve_model(model) as model_url,
        serve_opencode(tmp_path / "home", model_url) as server,
        OpencodeClient(make_settings(server)) as client,
    ):
        directory = _run_session(server, client)
        line = attach_command(
            make_settings(server),
            session_id=session_id(FIX),
            directory=str(directory),
            program=str(BINARY),
        )
        assert PASSWORD not in line
        watcher = tmp_path / "watcher"
        watcher.mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(watcher),
            "TMPDIR": str(watcher),
            "TERM": "xterm-256color",
            "OPENCODE_SERVER_PASSWORD": PASSWORD,
        }
        drawn = _screen(shlex.split(line), environment, "Mended", 60)
        assert "Mended" in drawn, drawn[-2000:]
