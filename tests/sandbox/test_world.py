"""Deploys, restarts, limits and the edge, with real processes and without load."""

from __future__ import annotations

import http.client
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sandbox.blueprint import BY_NAME
from sandbox.containers import Container, Launcher
from sandbox.forge.app import Forge
from sandbox.forge.git import run_git
from sandbox.limits import CpuLimiter, cpu_seconds
from sandbox.records import Deployment
from sandbox.world import World, WorldError
from tests.support.sandbox import start_sandbox

NAME = "billing-api"
REPOSITORY = f"acme/{NAME}"
HOST = str(BY_NAME[NAME].domain)


def wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


class Shop:
    """A world with a web service and a worker, and a clone of the web service's repository."""

    def __init__(self, root: Path) -> None:
        self.world = World(root / "world", services=(NAME, "mailer"), load=False)
        self.forge = Forge(root / "forge", "token", self.world.on_push)
        self.clone = root / "clone"

    def start(self) -> None:
        self.world.start(self.forge.create_repository, self.forge.git_dir)
        run_git("clone", "--quiet", self.forge.git_dir(REPOSITORY), self.clone)

    @property
    def active(self) -> Deployment:
        deployment = self.world.registry.active(NAME)
        assert deployment
        return deployment

    @property
    def newest(self) -> Deployment:
        return self.world.registry.of(BY_NAME[NAME].id)[-1]

    def push(self, change: Callable[[str], str], message: str) -> str:
        """Change app.py on main, push it and say so; the commit."""
        app = self.clone / "app.py"
        app.write_text(change(app.read_text()))
        git = ("-C", self.clone)
        run_git(*git, "commit", "--quiet", "--all", "--message", message)
        run_git(*git, "push", "--quiet", "origin", "main")
        commit = run_git(*git, "rev-parse", "HEAD").decode().strip()
        self.world.on_push(REPOSITORY, "main", commit)
        wait_for(lambda: self.newest.commit == commit)
        return commit

    def get(self, path: str, host: str = HOST) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.world.edge.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, "User-Agent": "test"})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    try:
        shop.start()
        yield shop
    finally:
        pids = [d.container.pid for d in shop.world.registry.all() if d.container]
        shop.world.stop()
        assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_push_to_main_replaces_what_serves(shop: Shop) -> None:
    """The new commit serves, the one before is removed and its process has ended."""
    before = shop.active
    commit = shop.push(lambda code: code.replace('"status": "ok"', '"status": "fine"'), "Say fine")
    wait_for(lambda: shop.active.commit == commit and before.status == "REMOVED")
    wait_for(lambda: not before.is_running)
    assert shop.active.status == "SUCCESS"
    assert shop.active.meta["commitMessage"] == "Say fine"
    assert shop.get("/health") == 200
    assert [step.name for step in shop.active.steps][:3] == [
        "SNAPSHOT_CODE",
        "BUILD_IMAGE",
        "CREATE_CONTAINER",
    ]


def test_a_push_to_another_branch_deploys_nothing(shop: Shop) -> None:
    before = shop.newest
    shop.world.on_push(REPOSITORY, "autofix/x", "0" * 40)
    time.sleep(0.2)
    assert shop.newest is before


def test_code_that_does_not_compile_fails_the_build(shop: Shop) -> None:
    """Status FAILED with the reason in the build log; what served goes on."""
    before = shop.active
    shop.push(lambda code: code + "\ndef broken(:\n", "Break the syntax")
    wait_for(lambda: shop.newest.status == "FAILED")
    assert any("does not compile" in line.message for line in shop.newest.build_log)
    assert shop.active is before
    assert shop.get("/health") == 200


def test_code_that_ends_at_once_is_crashed(shop: Shop) -> None:
    """Status CRASHED with its traceback in the log; what served goes on."""
    before = shop.active
    shop.push(
        lambda code: (
            "raise RuntimeError('no configuration')\n" + code.rpartition("\ndef broken")[0]
        ),
        "Crash at the start",
    )
    wait_for(lambda: shop.newest.status == "CRASHED")
    messages = [line.message for line in shop.newest.log if line.severity == "error"]
    assert "RuntimeError: no configuration" in messages
    assert not [line for line in messages if str(shop.world.root) in line]
    assert shop.active is before


def test_what_dies_is_restarted_and_the_edge_says_502_meanwhile(shop: Shop) -> None:
    container = shop.active.container
    assert container
    container.kill()
    wait_for(lambda: shop.get("/health") == 502)
    wait_for(lambda: shop.get("/health") == 200)
    assert shop.active.restarts == 1
    messages = [line.message for line in shop.active.log]
    assert "Container exited with status -9" in messages
    assert "Container restarted (restart 1)" in messages
    failed = [request for request in shop.active.requests if request.status == 502]
    assert {request.details for request in failed} == {"Application failed to respond"}
    assert any("connection refused" in request.upstream_errors for request in failed)


def test_the_edge_times_out_and_the_memory_limit_kills(shop: Shop) -> None:
    """A slow answer is a 504; a process above its memory limit is killed, and the log says why."""
    routes = textwrap.dedent(
        """
        def answer_slowly(path):
            import time
            if path == "/slow":
                time.sleep(6)
            if path == "/big":
                KEPT.append(bytearray(200_000_000))
            return answer(path)

        KEPT = []
        """
    )
    commit = shop.push(
        lambda code: (
            code.partition("\n")[2]
            .replace("= answer(self.path)", "= answer_slowly(self.path)")
            .replace("class Handler", routes + "\n\nclass Handler")
        ),
        "Add routes",
    )
    wait_for(lambda: shop.active.commit == commit)
    assert shop.get("/slow") == 504
    assert 3000 <= shop.active.requests[-1].total_ms <= 5000
    assert shop.get("/big") in {404, 502}
    wait_for(lambda: shop.active.restarts == 1)
    assert any("memory limit exceeded" in line.message for line in shop.active.log)


def test_the_edge_logs_what_it_forwards(shop: Shop) -> None:
    wait_for(lambda: shop.get("/health") == 200)
    assert shop.get("/invoices/4?from=mail") == 404
    logged = shop.active.requests[-1]
    assert (logged.method, logged.path, logged.host) == ("GET", "/invoices/4?from=mail", HOST)
    assert logged.sent > 0
    assert logged.received > 0
    assert logged.user_agent == "test"


def test_an_unknown_host_is_nobodys_request(shop: Shop) -> None:
    count = len(shop.active.requests)
    assert shop.get("/health", host="nobody.up.sandbox.test") == 404
    assert len(shop.active.requests) == count


def test_samples_come_from_outside_the_process(shop: Shop) -> None:
    """One sample a second with usage and limit; the worker is measured too."""
    worker = shop.world.registry.active("mailer")
    assert worker
    wait_for(lambda: len(worker.samples) >= 2)
    sample = worker.samples[-1]
    assert 0.003 < sample.values["MEMORY_USAGE_GB"] < sample.values["MEMORY_LIMIT_GB"] == 0.064
    assert sample.values["CPU_USAGE"] < 0.05
    assert "NETWORK_RX_GB" not in sample.values


def test_a_service_that_never_comes_up_fails_the_start(tmp_path: Path) -> None:
    """The error names the service and shows its last words; nothing is left running."""
    world = World(tmp_path / "world", services=("mailer",), load=False)
    forge = Forge(tmp_path / "forge", "token", world.on_push)

    def create_broken(name: str, source: Path, message: str) -> str:
        (source / "app.py").write_text("raise SystemExit('no outbox')\n")
        return forge.create_repository(name, source, message)

    try:
        with pytest.raises(WorldError, match=r"(?s)mailer.*no outbox"):
            world.start(create_broken, forge.git_dir)
    finally:
        world.stop()


@pytest.mark.parametrize("limit", [0.1, 0.3])
def test_a_busy_process_gets_no_more_cpu_than_its_limit(limit: float, tmp_path: Path) -> None:
    launcher, limiter = Launcher(), CpuLimiter()
    command = [sys.executable, "-S", "-c", "while True: pass"]
    container = Container(
        launcher.start(command, environment={}, cwd=tmp_path), lambda _stream, _line: None
    )
    try:
        limiter.add(container, limit)
        time.sleep(1)
        began, used = time.monotonic(), cpu_seconds(container.pid) or 0
        time.sleep(2)
        share = ((cpu_seconds(container.pid) or 0) - used) / (time.monotonic() - began)
        assert share == pytest.approx(limit, rel=0.25)
    finally:
        limiter.close()
        container.stop()
        launcher.close()


def test_kill_9_leaves_no_process(tmp_path: Path) -> None:
    """The services die with the sandbox, even when it cannot say goodbye."""
    with start_sandbox(tmp_path) as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 7
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
