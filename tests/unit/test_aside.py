"""The lowest priority, the command's own status and words, and nothing that outlives it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


def _aside(code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.aside", sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_the_command_gives_way_and_has_its_own_status() -> None:
    """What it said comes when it has ended."""
    process = _aside("import os, sys; print(os.nice(0)); sys.exit(3)")
    said, _ = process.communicate(timeout=240)
    assert (said, process.returncode) == ("19\n", 3)


def test_an_interrupted_command_ends_with_all_that_it_started(tmp_path: Path) -> None:
    """Also what does not listen."""
    file = tmp_path / "pids"
    code = (
        "import os, pathlib, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(file)!r}).write_text(f'{{os.getpid()}} {{child.pid}} ')\n"
        "time.sleep(600)\n"
    )
    process = _aside(code)
    deadline = time.monotonic() + 200
    while not (file.exists() and file.read_text().endswith(" ")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    pids = [int(pid) for pid in file.read_text().split()]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    for pid in pids:
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
