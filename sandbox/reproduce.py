"""Does the fault still show? ``python -m sandbox.reproduce NAME DIRECTORY``.

Starts the code found in the directory, replays the load that shows the fault, says what was
measured in one line and ends with 0 when the fault is gone, 1 when it shows, 2 for bad input.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.blueprint import BY_NAME
from sandbox.containers import Container, Launcher, free_port
from sandbox.limits import CpuLimiter

PAGES = 9
PAGES_A_SECOND = 3.0
VIEWS, VIEWS_MEASURED = 180, 80
ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""Else each thread may get memory of its own, which looks like growth for a while."""
KEPT_BYTES_A_VIEW = 40_000
SLOW_MS = 500.0
MANY_QUERIES = 10
UP_SECONDS = 10.0


class NotRunnable(Exception):
    """The code does not come up."""


@dataclass(frozen=True)
class Result:
    """What was seen."""

    shows: bool
    line: str
    p95_ms: float | None = None


@dataclass
class Running:
    """A service under test."""

    port: int
    container: Container
    lines: list[str] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, float]:
        """Status and duration in milliseconds of one request; 599 when there is no answer."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            status = 599
        finally:
            connection.close()
        return status, (time.monotonic() - started) * 1000


class Bench:
    """Starts services for a measurement and ends them afterwards."""

    def __init__(self) -> None:
        self.launcher = Launcher()
        self.limiter = CpuLimiter()
        self._containers: list[Container] = []

    def start(self, folder: Path, variables: dict[str, str]) -> Running:
        """The service in this folder, once it accepts connections."""
        port = free_port()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PORT": str(port),
            **variables,
        }
        command = [sys.executable, "-S", "app.py"]
        process = self.launcher.start(command, environment=environment, cwd=folder)
        lines: list[str] = []
        container = Container(process, lambda _stream, line: lines.append(line))
        self._containers.append(container)
        running = Running(port, container, lines)
        deadline = time.monotonic() + UP_SECONDS
        while not _accepts(port):
            if container.exit_status is not None or time.monotonic() > deadline:
                raise NotRunnable(lines[-1] if lines else "it ended without a word")
            time.sleep(0.05)
        return running

    def close(self) -> None:
        """End everything."""
        self.limiter.close()
        for container in self._containers:
            container.stop()
        self.launcher.close()


@contextlib.contextmanager
def open_bench() -> Iterator[Bench]:
    """A bench that is closed in the end."""
    bench = Bench()
    try:
        yield bench
    finally:
        bench.close()


def _accepts(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def reproduce_memory(directory: Path) -> Result:
    """Memory that one view of a page keeps, after as many views as a page should remember."""
    with open_bench() as bench:
        running = bench.start(directory, ONE_ARENA)
        failed = _view(running, 0, VIEWS - VIEWS_MEASURED)
        before = running.container.resident_bytes() or 0
        failed += _view(running, VIEWS - VIEWS_MEASURED, VIEWS)
        kept = ((running.container.resident_bytes() or 0) - before) / VIEWS_MEASURED
    line = f"memory grew by {kept / 1000:.1f} kB a view over the last {VIEWS_MEASURED} of {VIEWS}"
    if failed:
        return Result(shows=True, line=f"{line}; {failed} views failed")
    return Result(kept > KEPT_BYTES_A_VIEW, line)


def _view(running: Running, first: int, end: int) -> int:
    return sum(running.get(f"/products/{1 + i % 200}")[0] != 200 for i in range(first, end))


def reproduce_latency(directory: Path) -> Result:
    """How long the page takes, and with how many queries, at the usual rate and database."""
    spec = BY_NAME["orders-db"]
    with tempfile.TemporaryDirectory(prefix="rowstore-") as root, open_bench() as bench:
        image = Path(root, "image")
        shutil.copytree(spec.source, image)
        database = bench.start(image, {"DATA_DIRECTORY": str(Path(root, "data"))})
        running = bench.start(directory, {"ORDERS_DB": f"127.0.0.1:{database.port}"})
        bench.limiter.add(database.container, spec.cpu_limit)
        answers = _request_pages(running)
    ordered = sorted(duration for _, duration in answers)
    p95 = ordered[-1 - len(ordered) // 20]
    failed = sum(status >= 500 for status, _ in answers)
    queries = [int(n) for line in running.lines for n in re.findall(r"queries=(\d+)", line)]
    most = max(queries, default=0)
    line = f"p95 {p95:.0f} ms, {failed} of {len(answers)} failed, at most {most} queries a page"
    return Result(p95 > SLOW_MS or failed > 0 or most > MANY_QUERIES, line, p95)


def _request_pages(running: Running) -> list[tuple[int, float]]:
    with ThreadPoolExecutor(max_workers=PAGES) as pool:
        underway = []
        for n in range(PAGES):
            underway.append(pool.submit(running.get, f"/customers/{4 + n * 13 % 200}/orders"))
            time.sleep(1 / PAGES_A_SECOND)
        return [future.result() for future in underway]


def reproduce_errors(directory: Path) -> Result:
    """Which invoices cannot be shown, one of each customer's."""
    with open_bench() as bench:
        running = bench.start(directory, {})
        statuses = [running.get(f"/invoices/{n}")[0] for n in range(1, 61)]
    failed = sum(status >= 500 for status in statuses)
    wrong = sum(status != 200 for status in statuses)
    return Result(wrong > 0, f"{failed} of {len(statuses)} invoices failed, {wrong} were not shown")


REPRODUCTIONS: dict[str, Callable[[Path], Result]] = {
    "catalog-api": reproduce_memory,
    "orders-web": reproduce_latency,
    "billing-api": reproduce_errors,
}


def main(arguments: list[str]) -> int:
    """The exit status."""
    if len(arguments) != 2 or arguments[0] not in REPRODUCTIONS:
        print(f"usage: python -m sandbox.reproduce {'|'.join(REPRODUCTIONS)} DIRECTORY")
        return 2
    name, directory = arguments[0], Path(arguments[1]).resolve()
    if not (directory / "app.py").is_file():
        print(f"no app.py in {directory}")
        return 2
    try:
        result = REPRODUCTIONS[name](directory)
    except NotRunnable as error:
        print(f"{name} does not start: {error}")
        return 1
    print(f"{name}: {'the fault shows' if result.shows else 'the fault is gone'}: {result.line}")
    return int(result.shows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
