"""CPU limits for processes, enforced by stopping and continuing them."""

from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import dataclass

import psutil

from sandbox.containers import Container

TICK_SECONDS = 0.01
BURST_SECONDS = 0.3
"""How much of its share a process may save up while it rests."""
RESUME_SECONDS = 0.04
"""How much of its share a stopped process needs to go on."""


def cpu_seconds(pid: int) -> float | None:
    """CPU time of a process with all its threads; None when it has ended."""
    if sys.platform == "linux":
        # The process's CPU clock, as clock_getcpuclockid(3) makes it: exact, one cheap call.
        try:
            return time.clock_gettime((~pid << 3) | 2)
        except OSError:
            return None
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return None
    return times.user + times.system


@dataclass
class _Account:
    """What one process may still use, as a bucket of CPU seconds."""

    container: Container
    limit: float
    used: float
    balance: float
    stopped: bool = False

    def settle(self, elapsed: float) -> bool:
        """Refill, subtract what was used, stop or continue; False when the process has ended."""
        used = cpu_seconds(self.container.pid)
        if used is None or self.container.exit_status is not None:
            return False
        full = self.limit * BURST_SECONDS
        self.balance = min(full, self.balance + self.limit * elapsed) - (used - self.used)
        self.used = used
        if not self.stopped and self.balance <= 0:
            self.container.signal(signal.SIGSTOP)
            self.stopped = True
        elif self.stopped and self.balance >= self.limit * RESUME_SECONDS:
            self.container.signal(signal.SIGCONT)
            self.stopped = False
        return True


class CpuLimiter:
    """Keeps every container it was given at its limit, in slices of some 100 ms."""

    def __init__(self) -> None:
        self._accounts: dict[int, _Account] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cpu-limits", daemon=True)
        self._thread.start()

    def add(self, container: Container, limit: float) -> None:
        """Hold a container to `limit` vCPUs from now on."""
        account = _Account(
            container, limit, used=cpu_seconds(container.pid) or 0.0, balance=limit * BURST_SECONDS
        )
        with self._lock:
            self._accounts[container.pid] = account

    def release(self, container: Container) -> None:
        """Let a container go; it runs on without a limit."""
        with self._lock:
            account = self._accounts.pop(container.pid, None)
            if account and account.stopped:
                container.signal(signal.SIGCONT)

    def close(self) -> None:
        """Let all of them go."""
        self._ended.set()
        self._thread.join()
        for account in tuple(self._accounts.values()):
            self.release(account.container)

    def _run(self) -> None:
        before = time.monotonic()
        while not self._ended.wait(TICK_SECONDS):
            now = time.monotonic()
            with self._lock:
                ended = [pid for pid, a in self._accounts.items() if not a.settle(now - before)]
                for pid in ended:
                    del self._accounts[pid]
            before = now
