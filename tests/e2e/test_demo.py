"""The whole line with real processes, through the same program a person runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.world, pytest.mark.timeout(700)]


def _environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    return {**kept, "TMPDIR": str(tmp_path), **more}


def _start(tmp_path: Path, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox.demo"],
        cwd=ROOT,
        env=_environment(tmp_path, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _left_over(tmp_path: Path) -> list[str]:
    """Processes that still run out of the demo's folder."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(tmp_path) in line or str(tmp_path) in (process.info["cwd"] or ""):
            found.append(line)
    return found


def test_the_demo_goes_from_sick_services_to_draft_pull_requests(tmp_path: Path) -> None:
    """Three draft pull requests that cure their service, none for the controls, nothing twice."""
    with _start(tmp_path) as demo:
        output, _ = demo.communicate(timeout=600)
    assert demo.returncode == 0, output
    assert "checks on the world hold" in output
    assert "rehearsal model (scripted)" in output
    assert _left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == [], "a demo that went well leaves nothing behind"


def test_the_demo_fails_clearly_when_opencode_ends_at_once(tmp_path: Path) -> None:
    """An OpenCode binary that exits at once: exit status 1, a sentence that names it, no leftovers."""
    with _start(tmp_path, OPENCODE_BIN="/bin/false") as demo:
        output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 1, output
    assert "opencode ended with exit status 1" in output
    assert "Traceback" not in output
    assert _left_over(tmp_path) == []


def test_an_interrupted_demo_ends_everything_it_started(tmp_path: Path) -> None:
    """Ctrl-C in the middle: exit status 130 and no process left."""
    with _start(tmp_path) as demo:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("railway-autofix-*/world.json")):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert _left_over(tmp_path)
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, output
    assert _left_over(tmp_path) == []
