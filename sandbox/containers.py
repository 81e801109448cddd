"""Processes that stand for containers: started, listened to and ended by their own id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import psutil

CHILD = Path(__file__).with_name("child.py")
GRACE_SECONDS = 2.0

OnLine = Callable[[str, str], None]
"""Called with ``stdout`` or ``stderr`` and one line of it."""


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Launcher:
    """Starts processes that end with this one, even when it is killed.

    The kernel ties a child to the thread that started it, so one thread starts all of them and
    lives until `close`.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="launcher")

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
        stdin: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """A process in its own session with pipes for its output."""
        wrapped = [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), *command]

        def launch() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                wrapped,
                env=dict(environment),
                cwd=cwd,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )

        return self._thread.submit(launch).result()

    def close(self) -> None:
        """End the thread, and with it whatever still runs."""
        self._thread.shutdown()


class Container:
    """One started process; its lines go to `on_line` as they come."""

    def __init__(self, process: subprocess.Popen[bytes], on_line: OnLine) -> None:
        self.process = process
        self.ended_by_us = False
        self._measured: psutil.Process | None = None
        with contextlib.suppress(psutil.NoSuchProcess):  # it may have ended already
            self._measured = psutil.Process(process.pid)
        self._readers = [
            threading.Thread(target=_read, args=(stream, name, on_line), daemon=True)
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The process's id, and its group's."""
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self.process.poll()

    def resident_bytes(self) -> int | None:
        """Its resident memory; None when it has ended."""
        try:
            return self._measured.memory_info().rss if self._measured else None
        except psutil.NoSuchProcess:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its group; nothing happens when it has ended."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, then make it; afterwards nothing of it is left."""
        self.ended_by_us = True
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self.process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self.reap()

    def reap(self) -> None:
        """Wait for its end and for its last lines."""
        self.process.wait()
        for reader in self._readers:
            reader.join()


def _read(stream: IO[bytes] | None, name: str, on_line: OnLine) -> None:
    if stream is None:
        return
    with stream:
        for line in stream:
            on_line(name, line.decode(errors="replace").rstrip("\n"))
