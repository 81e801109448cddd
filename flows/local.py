"""Background processes of `flows.up`: started with a log each, ended by their own id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

GRACE_SECONDS = 15.0
"""Between asking a process to end and making it."""


class StartError(Exception):
    """A process did not come up; the message says which and why."""


def choose_port(wanted: int) -> int:
    """The wanted port on loopback, or a free one when somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            chosen: int = probe.getsockname()[1]
            return chosen
    raise StartError("no port on 127.0.0.1 is free")


class Children(AbstractContextManager["Children"]):
    """Processes in sessions of their own; leaving the block ends all of them, newest first."""

    def __init__(self, logs: Path) -> None:
        """Each process's output goes to a file in `logs`."""
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path
    ) -> None:
        """Start one process."""
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for it to be ready; StartError when it ends before, or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self.find_ended()
            if ended is not None:
                raise StartError(f"{ended} ended; see {self._logs / ended}.log")
            if time.monotonic() > deadline:
                raise StartError(f"{name} was not ready in time; see {self._logs / name}.log")
            time.sleep(0.5)

    def find_ended(self) -> str | None:
        """The name of one that has ended; None while all run."""
        return next((n for n, p in self._running.items() if p.poll() is not None), None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in reversed(self._running.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
