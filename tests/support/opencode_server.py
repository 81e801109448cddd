"""Starts the real OpenCode server through its start script, with everything in one folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from autofix.change.opencode import OpencodeClient
from autofix.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "opencode" / "serve.sh"
BINARY = ROOT / "opencode" / "node_modules" / ".bin" / "opencode"
PASSWORD = "only-for-this-test"


class OpencodeServer:
    """A server whose home is a folder; it can be killed and started again on the same port."""

    def __init__(self, home: Path, model_url: str, **environment: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.script = SCRIPT
        self.home = home
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.workspace = home / "work"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(home),
            "OPENCODE_PORT": str(self.port),
            "OPENCODE_SERVER_PASSWORD": PASSWORD,
            "OPENAI_API_KEY": "not-a-key",
            "OPENAI_BASE_URL": model_url,
            "AUTOFIX_AGENT_MODEL": "rehearsal/scripted",
            **environment,
        }

    def start(self) -> None:
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["bash", str(self.script)],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def configure(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Use a copy of the shipped configuration, changed."""
        folder = self.home / "opencode"
        shutil.copytree(SCRIPT.parent, folder, ignore=shutil.ignore_patterns("node_modules"))
        file = folder / "opencode.json"
        configuration = json.loads(file.read_text())
        change(configuration)
        file.write_text(json.dumps(configuration))
        self.script = folder / SCRIPT.name
        self._environment["OPENCODE_BIN"] = str(BINARY)

    def forget(self) -> None:
        """Delete the database: sessions, messages, todo lists."""
        shutil.rmtree(self.home / ".local" / "share" / "opencode")

    def kill(self) -> None:
        """kill -9, with everything in its process group, and what an init started below it."""
        if self._process is not None:
            started = psutil.Process(self._process.pid).children()
            os.killpg(self._process.pid, signal.SIGKILL)
            for child in started:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            self._process.wait()
            self._process = None


@contextmanager
def serve_opencode(
    home: Path,
    model_url: str,
    configure: Callable[[dict[str, Any]], None] | None = None,
    **environment: str,
) -> Iterator[OpencodeServer]:
    """A healthy server that is gone when the block is left."""
    server = OpencodeServer(home, model_url, **environment)
    if configure is not None:
        server.configure(configure)
    server.start()
    try:
        with OpencodeClient(make_settings(server)) as client:
            client.wait_until_healthy()
        yield server
    finally:
        server.kill()


def make_settings(server: OpencodeServer, **fields: str) -> Settings:
    """Settings that point at the server."""
    return Settings(
        _env_file=None,
        opencode_url=server.url,
        opencode_server_password=PASSWORD,
        opencode_workspace=str(server.workspace),
        **fields,
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
