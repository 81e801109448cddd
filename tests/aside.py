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
from types import FrameType
from typing import NoReturn

LOWEST = 19
PATIENCE = 20
"""Seconds that an interrupted command has to put away what it started."""


def main(command: list[str]) -> int:
    """Run it to its end; its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.nice(LOWEST)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with suppress(OSError):  # Linux shares the processors by sessions first
            Path(f"/proc/{process.pid}/autogroup").write_text(str(LOWEST))
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # also what it left behind
            said.seek(0)
            sys.stdout.buffer.write(said.read())
            sys.stdout.flush()
    return status


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
