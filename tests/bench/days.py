"""Two days of ticks back to back through Prefect: what grows, after pruning, from one to the next.

``python -m tests.bench.days`` starts a Prefect server on SQLite and a stand-in for Railway. A day is 144
times the monitor and the verification, and every two hours a look into one affected service. Each day
is compared after pruning, which is the real one: before the second day the first is made older than
anything that is kept, by the times in the database and of the files; the server's own vacuum and the
verification's `prune_results` then remove it while the second day goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil

from tests.bench.observe import stand_in
from tests.bench.tick import build_incident, raise_levels, server

SERVICES, TICKS, EVERY = 6, 144, 12
MOST = 1.10
"""What the second day may take of what the first one took."""
OLD_DAYS = 31
"""More than runs (30 days), results (14) and events (7) are kept."""
VACUUM = {
    # as `make up` and the image set it, only looked at more often than hourly
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "2592000",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "10",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "15",
}


def main() -> None:
    """Both days; SystemExit when the second takes more than it may."""
    ticks = int(sys.argv[2]) if sys.argv[1:2] == ["--ticks"] else TICKS
    with (
        tempfile.TemporaryDirectory(prefix="autofix-bench-") as folder,
        server(Path(folder), VACUUM) as (api, process),
        stand_in(SERVICES, 0) as railway,
        empty_forge() as forge,
    ):
        environment = {
            **os.environ,
            "HOME": folder,
            "PREFECT_HOME": f"{folder}/client",
            "PREFECT_LOCAL_STORAGE_PATH": f"{folder}/results",
            "PREFECT_API_URL": api,
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "RAILWAY_TOKEN": "token",
            "RAILWAY_PROJECT_ID": "p",
            "RAILWAY_ENVIRONMENT_ID": "e",
            "RAILWAY_API_URL": railway,
            "GITHUB_TOKEN": "token",
            "GITHUB_API_URL": forge,
        }
        home = Path(folder)
        begun = time.monotonic()
        days = [_day(0, ticks, environment, home, process)]
        make_old(home)
        days.append(_day(1, ticks, environment, home, process))
        minutes = (time.monotonic() - begun) / 60
    print(f"{ticks} ticks a day, {SERVICES} services, {minutes:.0f} min")
    raise SystemExit(_compare(*days))


def _day(
    number: int, ticks: int, environment: dict[str, str], home: Path, process: psutil.Process
) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.days", "inside", str(number), str(ticks)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    wait_until_pruned(home)
    return measure(home, process) | json.loads(done.stdout.splitlines()[-1])


def _compare(first: dict[str, float], second: dict[str, float]) -> int:
    grown = []
    for name, value in first.items():
        ratio = second[name] / value
        bound = "" if name.endswith("files") else f"  at most {MOST:.2f}"
        print(f"{name:<28} {value:12,.1f} {second[name]:12,.1f}  ratio {ratio:.2f}{bound}")
        if bound and ratio > MOST:
            grown.append(name)
    for name in grown:
        print(f"over its bound: {name}", file=sys.stderr)
    return 1 if grown else 0


def inside(number: int, ticks: int) -> None:
    """One day of flows in a process of its own; prints what it needs itself."""
    from flows.monitor_project_health import monitor_project_health
    from flows.pull_service_context import pull_service_context
    from flows.verify_fix import verify_fix

    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for i in range(ticks):
        now = midnight + timedelta(days=number - 2, minutes=10 * i)
        states = [
            monitor_project_health(thresholds=raise_levels(), now=now, return_state=True),
            verify_fix(now=now, return_state=True),
        ]
        if i % EVERY == 0:
            incident = build_incident(number * ticks + i, now, service=i % SERVICES)
            states.append(
                pull_service_context(
                    incidents=[incident], step_seconds=60.0, autonomy="report", return_state=True
                )
            )
        bad = [state for state in states if not state.is_completed()]
        assert not bad, bad
    rss = psutil.Process().memory_info().rss / 1e6
    print(json.dumps({"flows' process, MB": rss}))


def measure(home: Path, process: psutil.Process) -> dict[str, float]:
    """MB of the database's pages in use, of the results, and of the server's memory; files."""
    with contextlib.closing(sqlite3.connect(_database(home))) as database:
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        (free,) = database.execute("PRAGMA freelist_count").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    files = [f for f in (home / "results").rglob("*") if f.is_file()]
    family = (process, *process.children(recursive=True))
    return {
        "database, MB in use": (pages - free) * size / 1e6,
        "result storage, MB": sum(f.stat().st_size for f in files) / 1e6,
        "result storage, files": len(files),
        "Prefect server, MB": sum(p.memory_info().rss for p in family) / 1e6,
    }


def make_old(home: Path) -> None:
    """Everything that is there ended, or was written, so many days earlier."""
    aged = {"flow_run": "end_time", "events": "occurred", "event_resources": "occurred"}
    with contextlib.closing(sqlite3.connect(_database(home), timeout=60)) as database:
        for table, column in aged.items():
            database.execute(
                f"UPDATE {table} SET {column} = datetime({column}, '-{OLD_DAYS} days')"  # noqa: S608
            )
        database.commit()
    for file in (home / "results").rglob("*"):
        at = file.stat().st_mtime - timedelta(days=OLD_DAYS).total_seconds()
        os.utime(file, (at, at))


def wait_until_pruned(home: Path) -> None:
    """Until the server's vacuum has nothing left that is old, orphans included."""
    deadline = time.monotonic() + 300
    while _old_rows(home):
        assert time.monotonic() < deadline, f"the vacuum leaves {_old_rows(home)} rows"
        time.sleep(2)
    time.sleep(2 * 15)  # the orphans' own round


def _old_rows(home: Path) -> int:
    edge = f"datetime('now', '-{OLD_DAYS - 1} days')"
    with contextlib.closing(sqlite3.connect(_database(home), timeout=60)) as database:
        counts = [
            database.execute(f"SELECT count(*) FROM {t} WHERE {c} < {edge}").fetchone()[0]  # noqa: S608
            for t, c in (("flow_run", "end_time"), ("events", "occurred"))
        ]
    return sum(counts)


def _database(home: Path) -> Path:
    return home / "prefect" / "prefect.db"


@contextmanager
def empty_forge() -> Iterator[str]:
    """A forge without any pull request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_: Any) -> None:
            pass

    forge = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=forge.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{forge.server_address[1]}"
    finally:
        forge.shutdown()
        forge.server_close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        inside(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
