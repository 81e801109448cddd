"""What was started is ended, with everything that it started itself."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from sandbox.demo.processes import Processes

PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
pathlib.Path("child").write_text(str(child.pid))
time.sleep(600)
"""


@pytest.mark.parametrize("end", ["obeys", "ignores SIGTERM", "is killed"])
def test_a_child_in_a_session_of_its_own_ends_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("sandbox.demo.processes.GRACE", 0.5)
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    deaf = ignore if end == "ignores SIGTERM" else ""
    written = tmp_path / "child"
    with Processes(tmp_path / "logs") as processes:
        command = [sys.executable, "-c", deaf + PARENT]
        processes.start("parent", command, {"PATH": os.environ["PATH"]}, tmp_path)
        processes.wait_until("parent", lambda: written.exists() and written.read_text() != "", 30)
        child = psutil.Process(int(written.read_text()))
        assert child.is_running()
        if end == "is killed":
            processes.kill("parent")
    deadline = time.monotonic() + 10
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.05)
