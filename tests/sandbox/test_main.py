"""The sandbox as a process of its own: it says when it serves, and leaves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_a_signal_ends_the_sandbox_with_all_its_processes(tmp_path: Path) -> None:
    """Settings when everything serves; after SIGTERM no process, no file."""
    ready, root = tmp_path / "ready.json", tmp_path / "root"
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--root", str(root), "--ready", str(ready)], cwd=ROOT
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not ready.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert json.loads(ready.read_text())["settings"]["RAILWAY_TOKEN"]
            children = psutil.Process(process.pid).children(recursive=True)
            assert len(children) >= 6, "a process for each service"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    _, alive = psutil.wait_procs(children, timeout=1)
    assert alive == [], "processes are left"
    assert not ready.exists()
    assert list(root.iterdir()) == []
