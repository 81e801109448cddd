"""Runs a command only when nothing else wants a processor: ``python -m tests.aside COMMAND …``.

Checks that compute run like this beside those that wait for processes and are measured by the clock.
What the command says is printed when it has ended; its exit status is the status. It ends with us.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from sandbox.demo.processes import Processes

NAME = "aside"
LOWEST = 19
PATIENCE = 20
"""Seconds that an interrupted command has to put away what it started."""


def main(command: list[str]) -> int:
    """Run it to its end; its exit status."""
    os.nice(LOWEST)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with Processes(Path(folder)) as processes:
                return _run(processes, command)
        finally:
            sys.stdout.buffer.write(Path(folder, f"{NAME}.log").read_bytes())
            sys.stdout.flush()


def _run(processes: Processes, command: list[str]) -> int:
    processes.start(NAME, command, os.environ, Path.cwd())
    with suppress(OSError):  # Linux shares the processors by sessions first
        Path(f"/proc/{processes.pid(NAME)}/autogroup").write_text(str(LOWEST))
    try:
        return processes.wait(NAME)
    except KeyboardInterrupt:
        os.kill(processes.pid(NAME), signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            processes.wait(NAME, PATIENCE)
        raise


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
