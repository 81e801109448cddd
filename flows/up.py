"""Everything on this machine: ``python -m flows.up`` until it is stopped, ``--down`` stops it.

`.env`, then the doctor, then OpenCode, a Prefect server, the deployments and a worker. What it writes
lies in `.autofix` in the project's folder.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import httpx
from dotenv import dotenv_values
from rich.console import Console

from autofix.doctor.agent import check_agent, check_planner
from autofix.doctor.checks import Check
from autofix.doctor.doctor import WIDTH, check_repositories, print_table
from autofix.doctor.prefect import LEASES, POOL, check_prefect
from autofix.doctor.railway import check_railway
from autofix.errors import AutofixError
from autofix.observe.railway import RailwayClient
from autofix.redact import redactor
from autofix.settings import Settings, load_settings
from flows.local import Children, StartError, choose_port

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".autofix"
PID_FILE = HOME / "up.pid"
PREFECT_PORT, OPENCODE_PORT = 4200, 4096
READY_SECONDS = 120
STOP_SECONDS = 60
_AGENT_NEEDS = (
    *("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "OPENCODE_BIN"),
    *("OPENAI_API_KEY", "OPENAI_BASE_URL", "AUTOFIX_AGENT_MODEL"),
    *("AUTOFIX_AGENT_PRICE_INPUT", "AUTOFIX_AGENT_PRICE_OUTPUT", "AUTOFIX_AGENT_PRICE_CACHED"),
)

console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 when it was stopped, 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m flows.up", description=__doc__)
    parser.add_argument("--down", action="store_true", help="stop what `make up` started")
    parser.add_argument("--anyway", action="store_true", help="start although the doctor objects")
    chosen = parser.parse_args(arguments)
    if chosen.down:
        return stop()
    if (running := find_running()) is not None:
        return _refuse(f"it runs already, as process {running}; `make down` stops it")
    signal.signal(signal.SIGTERM, _interrupt)
    HOME.mkdir(mode=0o700, exist_ok=True)
    PID_FILE.write_text(f"{os.getpid()} {_started(os.getpid())}\n", encoding="utf-8")
    try:
        return run(anyway=chosen.anyway)
    except KeyboardInterrupt:
        console.print("stopped; everything that was started has been ended")
        return 0
    except (StartError, AutofixError) as error:
        return _refuse(str(error))
    finally:
        PID_FILE.unlink(missing_ok=True)


def run(*, anyway: bool) -> int:
    """Examine, start, and stay until something ends."""
    environment = build_environment()
    os.environ.update(environment)
    settings = load_settings()
    if not _tell(settings, _outside(settings)) and not anyway:
        return _refuse("nothing was started; set this right, or run it with --anyway")
    with Children(HOME / "logs") as children:
        start_agent(children, settings)
        start_prefect(children, environment)
        # a process of its own: Prefect reads its settings once, when it is imported
        if subprocess.run([sys.executable, "-m", "flows.deploy"], cwd=ROOT, check=False).returncode:
            return _refuse("the flows could not be deployed")
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL]
        children.start("worker", [*command, "--type", "process"], os.environ, ROOT)
        children.wait_until("worker", _has_worker, READY_SECONDS)
        _tell(settings, _inside(settings))
        console.print(f"Prefect UI  {os.environ['PREFECT_API_URL'].removesuffix('/api')}")
        console.print("Ctrl-C or `make down` stops everything.")
        while (ended := children.find_ended()) is None:
            time.sleep(1)
    return _refuse(f"{ended} ended by itself; see {HOME / 'logs' / ended}.log")


def build_environment() -> dict[str, str]:
    """What every process gets: `.env`, and addresses of what is started here."""
    found = {k: v for k, v in dotenv_values(ROOT / ".env").items() if v}
    found |= {k: os.environ[k] for k in found if os.environ.get(k)}
    port, agent = choose_port(PREFECT_PORT), choose_port(OPENCODE_PORT)
    return found | {
        "PREFECT_HOME": str(HOME / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # a month of runs is kept; Prefect itself would keep them for ever
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "2592000",
        # a server that forgets who holds a repository's only slot never gives it away again
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "DO_NOT_TRACK": "1",
        "AUTOFIX_DIR": str(ROOT),
        "OPENCODE_URL": f"http://127.0.0.1:{agent}",
        "OPENCODE_SERVER_PASSWORD": found.get("OPENCODE_SERVER_PASSWORD")
        or secrets.token_urlsafe(24),
        "OPENCODE_WORKSPACE": str(HOME / "agent" / "work"),
    }


def start_agent(children: Children, settings: Settings) -> None:
    """The OpenCode server, with nothing in its environment that the agent must not have."""
    home = HOME / "agent"
    home.mkdir(mode=0o700, exist_ok=True)
    password = settings.opencode_server_password
    environment = {name: os.environ[name] for name in _AGENT_NEEDS if os.environ.get(name)}
    environment |= {
        "HOME": str(home),
        "OPENCODE_WORKSPACE": settings.opencode_workspace,
        "OPENCODE_PORT": settings.opencode_url.rpartition(":")[2],
        "OPENCODE_SERVER_PASSWORD": password.get_secret_value() if password else "",
    }
    children.start("opencode", ["bash", str(ROOT / "opencode" / "serve.sh")], environment, home)
    children.wait_until(
        "opencode", lambda: all(c.ok for c in check_agent(settings, ask=False)), READY_SECONDS
    )


def start_prefect(children: Children, environment: dict[str, str]) -> None:
    """The Prefect server on SQLite; results are readable by their owner only."""
    os.umask(0o077)
    url = environment["PREFECT_API_URL"]
    port = url.removesuffix("/api").rpartition(":")[2]
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    children.start("prefect-server", [*command, "--port", port], os.environ, ROOT)
    children.wait_until("prefect-server", lambda: _answers(f"{url}/health"), READY_SECONDS)


def stop() -> int:
    """Stop what runs, by the id that it wrote down; wait until it is gone."""
    running = find_running()
    if running is None:
        console.print("nothing runs")
        return 0
    os.kill(running, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while find_running() is not None:
        if time.monotonic() > deadline:
            return _refuse(f"process {running} did not end within {STOP_SECONDS} s")
        time.sleep(0.5)
    console.print("stopped")
    return 0


def find_running() -> int | None:
    """The process that the pid file names, if it is still the one that wrote it."""
    try:
        pid, begun = PID_FILE.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return None
    return int(pid) if _started(int(pid)) == begun else None


def _started(pid: int) -> str:
    """When a process began, as its system counts; another process with this id has another."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return stat.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "running"


def _outside(settings: Settings) -> list[Check]:
    checks, architecture = check_railway(
        settings, lambda: RailwayClient(settings), datetime.now(UTC)
    )
    return [
        *checks,
        *check_repositories(settings, architecture),
        *check_planner(settings, ask=True),
    ]


def _inside(settings: Settings) -> list[Check]:
    return [*check_agent(settings, ask=True), *check_prefect(os.environ, datetime.now(UTC))]


def _tell(settings: Settings, checks: Iterable[Check]) -> bool:
    door = redactor(settings.secret_values())
    told = [c.model_copy(update={"detail": door(c.detail), "todo": door(c.todo)}) for c in checks]
    print_table(told, console)
    return all(check.ok for check in told)


def _has_worker() -> bool:
    found = check_prefect(os.environ, datetime.now(UTC))
    return any(check.name == "Worker" and check.ok for check in found)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _refuse(line: str) -> int:
    print(f"autofix: {line}", file=sys.stderr)  # noqa: T201
    return 1


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
