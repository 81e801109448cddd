"""The whole line with real processes, through the same program a person runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.reproduce import reproduce_latency
from sandbox.world import copy_service
from tests.support.platform import Platform

ROOT = Path(__file__).resolve().parents[2]
STARTED = "✓ start the sandbox and the Prefect server"
pytestmark = [pytest.mark.e2e, pytest.mark.world, pytest.mark.timeout(700)]


@dataclass
class Demo:
    """A demo that runs, where it writes, and what it says."""

    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_until_said(self, text: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.3)

    def read_world(self) -> dict[str, Any]:
        """What the sandbox wrote when everything served."""
        (ready,) = self.folder.glob("railway-autofix-*/world.json")
        found: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
        return found

    def left_over(self) -> list[str]:
        """Processes that still run out of the demo's folder."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
            line = " ".join(process.info["cmdline"] or ())
            if str(self.folder) in line or str(self.folder) in (process.info["cwd"] or ""):
                found.append(line)
        return found


@contextmanager
def _running(root: Path, **more: str) -> Iterator[Demo]:
    """A demo, which ends with the block if it has not by then."""
    folder = root / "tmp"
    folder.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
    with (root / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.demo"],
            cwd=ROOT,
            env={**kept, "TMPDIR": str(folder), **more},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Demo(process, folder, root / "demo.log")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for the two tests that follow it through."""
    with _running(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


def test_the_world_under_load(demo: Demo, tmp_path: Path) -> None:
    """Three services are sick as their faults make them, the controls stay quiet, all is cheap.

    Judged from the platform's API alone, before anything is repaired.
    """
    demo.wait_until_said("… monitor_project_health", 240)
    platform = Platform(demo.read_world())
    assert int(demo.output.partition(STARTED)[2].split()[0].strip("(")) < 12
    _assert_catalog_leaks(platform)
    _assert_orders_wait_for_their_database(platform, tmp_path)
    _assert_billing_fails_for_some(platform)
    _assert_controls_are_quiet(platform)
    _assert_cheap(demo)


def _assert_catalog_leaks(platform: Platform) -> None:
    memory = platform.levels("catalog-api", "MEMORY_USAGE_GB")
    limit = platform.levels("catalog-api", "MEMORY_LIMIT_GB")[0]
    assert max(memory) > 0.9 * limit
    assert min(memory) < 0.5 * limit, "a new life began in the window"
    assert platform.messages("catalog-api", '"memory limit exceeded"')
    assert platform.messages("catalog-api", '"Container restarted"')
    kept = [
        int(line.partition("=")[2].split()[0])
        for line in platform.messages("catalog-api", "retained")
    ]
    assert max(kept) > 250
    assert platform.error_share("catalog-api") > 0.2
    worst = platform.http("catalog-api", step=5)["durations"]["samples"]
    assert max(sample["p50"] for sample in worst) > 3000, "nine of ten time out before the end"


def _assert_orders_wait_for_their_database(platform: Platform, tmp_path: Path) -> None:
    slow = platform.p95("orders-web")
    copy_service("orders-web", tmp_path / "orders-web", healthy=True)
    fixed = reproduce_latency(tmp_path / "orders-web")
    assert not fixed.shows, fixed.line
    assert fixed.p95_ms is not None
    assert slow >= 30 * fixed.p95_ms, (slow, fixed.line)
    assert 503 in platform.statuses("orders-web")
    assert platform.messages("orders-web", "@level:error timeout")
    counts = platform.messages("orders-web", '"page=orders" queries -database')
    assert max(int(line.partition("queries=")[2].split()[0]) for line in counts) >= 15
    assert platform.cpu_share("orders-web") < 0.1
    memory = platform.levels("orders-web", "MEMORY_USAGE_GB")
    assert max(memory) < 0.4 * platform.levels("orders-web", "MEMORY_LIMIT_GB")[0]
    assert platform.cpu_share("orders-db") > 0.9
    assert platform.levels("orders-db", "DISK_USAGE_GB")[-1] > 0


def _assert_billing_fails_for_some(platform: Platform) -> None:
    assert 0.04 <= platform.error_share("billing-api") <= 0.07
    assert any("KeyError" in line for line in platform.messages("billing-api", "@level:error"))
    assert platform.p95("billing-api") < 500


def _assert_controls_are_quiet(platform: Platform) -> None:
    for name in ("image-resizer", "search-api"):
        assert set(platform.statuses(name)) == {200}, name
        assert platform.p95(name) < 300, name
        assert platform.messages(name, "@level:error") == []
    spikes = platform.levels("image-resizer", "CPU_USAGE")
    limit = platform.levels("image-resizer", "CPU_LIMIT")[0]
    assert max(spikes) > 0.85 * limit
    assert platform.cpu_share("image-resizer") < 0.45
    assert 0.8 <= platform.cpu_share("search-api") <= 0.95
    assert platform.messages("mailer", "sent")
    runs = platform.executions("nightly-report")
    assert runs
    assert all(run["status"] == "EXITED" for run in runs)


def _assert_cheap(demo: Demo) -> None:
    """The whole sandbox stays below one core, measured over a few seconds."""
    children = psutil.Process(demo.process.pid).children(recursive=True)
    (parent,) = [p for p in children if p.cmdline()[1:3] == ["-m", "sandbox"]]
    everything = [parent, *parent.children(recursive=True)]
    before = {p.pid: sum(p.cpu_times()[:2]) for p in everything}
    time.sleep(5)
    used = 0.0
    for process in everything:
        try:
            used += sum(process.cpu_times()[:2]) - before[process.pid]
        except psutil.NoSuchProcess:  # a restart, or a cron run
            continue
    assert used / 5 < 1.0


def test_the_demo_goes_from_sick_services_to_draft_pull_requests(demo: Demo) -> None:
    """Three draft pull requests that cure their service, none for the controls, nothing twice."""
    status = demo.process.wait(timeout=600)
    assert status == 0, demo.output
    assert "checks on the world hold" in demo.output
    assert "rehearsal model (scripted)" in demo.output
    assert demo.left_over() == []
    assert list(demo.folder.iterdir()) == [], "a demo that went well leaves nothing behind"


def test_the_demo_fails_clearly_when_opencode_ends_at_once(tmp_path: Path) -> None:
    """An OpenCode binary that exits at once: exit status 1, a sentence that names it, no leftovers."""
    with _running(tmp_path, OPENCODE_BIN="/bin/false") as demo:
        assert demo.process.wait(timeout=120) == 1, demo.output
    assert "opencode ended with exit status 1" in demo.output
    assert "Traceback" not in demo.output
    assert demo.left_over() == []


def test_an_interrupted_demo_ends_everything_it_started(tmp_path: Path) -> None:
    """Ctrl-C in the middle: exit status 130 and no process left."""
    with _running(tmp_path) as demo:
        demo.wait_until_said(STARTED, 60)
        assert demo.left_over()
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(timeout=60) == 130, demo.output
    assert demo.left_over() == []
