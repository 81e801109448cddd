"""The sandbox as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def start_sandbox(
    folder: Path, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The process and what it wrote into `ready.json` when everything served; ended afterwards."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "sandbox", "--root", str(folder / "root")]
    with subprocess.Popen([*command, "--ready", str(ready), *options], cwd=ROOT) as process:
        try:
            deadline = time.monotonic() + 60
            while not ready.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process, json.loads(ready.read_text())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
