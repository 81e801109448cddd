"""What a real Prefect server does by itself: messages, schedules, and runs whose process is gone."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from sandbox.demo.processes import Processes, free_port

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
TELL = """
from datetime import UTC, datetime
from prefect import flow
from autofix.news import News, NewsKind
from tasks.tell import tell_news

@flow
def telling():
    tell_news([News(kind=NewsKind.opened, incident="fp-e1", service="billing-api", text="5xx 6 %")],
              datetime.now(UTC))

telling()
telling()
"""


class Channel:
    """Somebody's chat: every message that was posted to it."""

    def __init__(self) -> None:
        self.messages: queue.Queue[str] = queue.Queue()
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                channel.messages.put(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def channel() -> Iterator[Channel]:
    channel = Channel()
    yield channel
    channel.server.shutdown()
    channel.server.server_close()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Prefect server of its own; the environment of what talks to it."""
    tmp_path: Path = tmp_path_factory.mktemp("server")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_TRIGGERS_PG_NOTIFY_HEARTBEAT_INTERVAL_SECONDS": "5",
        "PREFECT_EVENTS_PROACTIVE_GRANULARITY": "PT2S",
        "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT2S",
    }
    with Processes(tmp_path / "logs") as processes:
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
        processes.start("server", command, environment, ROOT)
        processes.wait_until("server", lambda: _is_up(f"{url}/api/health"), 120)
        yield environment


def _is_up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_news_and_silence_reach_people_once(environment: dict[str, str], channel: Channel) -> None:
    """Told twice it is sent once; a monitor that completes no more is told after three intervals."""
    done = _run(environment, "-m", "flows.notify", "--webhook", channel.url, "--minutes", "0.1")
    assert done.returncode == 0, done.stderr
    assert _run(environment, "-c", TELL).returncode == 0
    assert channel.messages.get(timeout=30) == "railway-autofix: billing-api: 5xx 6 %"

    _complete_a_tick(environment)
    assert "nobody is watching" in channel.messages.get(timeout=60)
    time.sleep(15)
    assert channel.messages.empty(), "each is told once"

    assert _run(environment, "-m", "flows.notify", "--off").returncode == 0
    assert _run(environment, "-c", TELL.replace("fp-e1", "fp-e2")).returncode == 0
    time.sleep(5)
    assert channel.messages.empty()


def _complete_a_tick(environment: dict[str, str]) -> None:
    """A run of the monitor that ends well, and none after it."""
    code = (
        "from prefect import flow\n"
        "@flow(name='monitor_project_health')\n"
        "def monitor(): pass\n"
        "monitor()\n"
    )
    assert _run(environment, "-c", code).returncode == 0


def test_what_is_no_address_is_one_line(environment: dict[str, str]) -> None:
    """Bad input is said, and exit status 2."""
    done = _run(environment, "-m", "flows.notify", "--webhook", "not-an-address")
    assert done.returncode == 2
    assert "no http(s) address" in done.stderr
    assert "Traceback" not in done.stderr


LOSE = """
import time
from datetime import timedelta
from prefect import flow, tags
from prefect.client.orchestration import get_client
from flows.deploy import ensure_automation, lost_runs

with get_client(sync_client=True) as client:
    ensure_automation(client, lost_runs(timedelta(seconds=10)))

@flow(name="hanging")
def hanging():
    time.sleep(600)

time.sleep(3)  # until the server has loaded the automation
with tags("autofix"):
    hanging()
"""


def test_a_run_whose_process_died_is_marked_crashed(environment: dict[str, str]) -> None:
    """kill -9 with nobody above it: without a sign of life it does not stay Running for ever."""
    beating = {**environment, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    with subprocess.Popen([sys.executable, "-c", LOSE], cwd=ROOT, env=beating) as process:
        try:
            _wait_for(lambda: _states(environment, "hanging"), ["Running"])
            time.sleep(5)  # its first sign of life is sent in the background
        finally:
            process.kill()
    assert _states(environment, "hanging") == ["Running"]
    _wait_for(lambda: _states(environment, "hanging"), ["Crashed"])


SCHEDULE = """
from datetime import timedelta
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import IntervalSchedule
from flows.verify_fix import verify_fix

with get_client(sync_client=True) as client:
    client.create_deployment(
        flow_id=client.create_flow(verify_fix), name="scheduled", entrypoint="x.py:x",
        schedules=[DeploymentScheduleCreate(
            schedule=IntervalSchedule(interval=timedelta(seconds=600)), active=True)],
    )
"""


def test_a_schedule_makes_runs(environment: dict[str, str]) -> None:
    """The server's scheduler puts the next ticks down by itself."""
    assert _run(environment, "-c", SCHEDULE).returncode == 0
    _wait_for(lambda: set(_states(environment, "verify_fix")), {"Scheduled"})


def _states(environment: dict[str, str], flow: str) -> list[str]:
    answer = httpx.post(
        f"{environment['PREFECT_API_URL']}/flow_runs/filter",
        json={"flows": {"name": {"any_": [flow]}}},
        timeout=10,
        trust_env=False,
    )
    return [run["state_name"] for run in answer.raise_for_status().json()]


def _wait_for(look: Callable[[], object], wanted: object) -> None:
    deadline = time.monotonic() + 90
    while look() != wanted:
        assert time.monotonic() < deadline, look()
        time.sleep(0.5)
