"""Background processes with their logs, ended by their own id however the program ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

import psutil

GRACE = 10.0
"""Seconds between asking a process to end and making it."""

_PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """What a person needs to know when the demo cannot go on."""


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Processes:
    """Starts processes, each in a session of its own, and ends all of them on exit."""

    def __init__(self, logs: Path) -> None:
        """Keep each process's output as a file in `logs`."""
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._before: Any = None
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path
    ) -> None:
        """Start one process under this name."""
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )

    def wait_until(self, name: str, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for this process to be ready; DemoError when it ends before, or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.require_running(name)
            if time.monotonic() > deadline:
                raise DemoError(f"{name} was not ready within {seconds:.0f} s{self._tail(name)}")
            time.sleep(0.25)

    def require_running(self, name: str) -> None:
        """DemoError with the end of its log when this process has ended."""
        status = self._running[name].poll()
        if status is not None:
            raise DemoError(f"{name} ended with exit status {status}{self._tail(name)}")

    def pid(self, name: str) -> int:
        """The process's id."""
        return self._running[name].pid

    def wait(self, name: str, seconds: float | None = None) -> int:
        """The exit status once this process has ended; subprocess.TimeoutExpired when it takes longer."""
        return self._running[name].wait(seconds)

    def kill(self, name: str) -> None:
        """Kill -9 a process and all that it started, as the end of its machine would."""
        process = self._running.pop(name)
        started = _descendants(process.pid)
        _end_group(process.pid)
        process.wait()
        _kill(started)

    def __enter__(self) -> Self:
        """End everything when the block is left, also on the way out after SIGTERM."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything, the newest first."""
        self.stop()
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def stop(self) -> None:
        """Ask every process to end, newest first, and make those that do not.

        What they started ends with them, also what has a session of its own, as a run's engine has.
        """
        started = [child for p in self._running.values() for child in _descendants(p.pid)]
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for process in reversed(self._running.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            _end_group(process.pid)
            process.wait()
        _kill(started)
        self._running.clear()

    def _tail(self, name: str) -> str:
        text = (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        lines = text.strip().splitlines()[-8:]
        return ":\n  " + "\n  ".join(lines) if lines else ""


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _descendants(pid: int) -> list[psutil.Process]:
    """Everything below a process now."""
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # or its number is another's by now
            process.kill()


def _end_group(pid: int) -> None:
    """What is left of a process's own session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _end_with_parent() -> None:
    """On Linux a child gets SIGTERM when the demo itself is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
