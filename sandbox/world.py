"""The world: services as real processes, an edge, traffic, deploys and measurements."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from sandbox.blueprint import BLUEPRINT, HEALTHY, Role, ServiceSpec
from sandbox.containers import Launcher
from sandbox.deploys import Deployer, Starter
from sandbox.edge import Edge
from sandbox.egress import Egress, Provider
from sandbox.keeper import Keeper
from sandbox.limits import CpuLimiter
from sandbox.load import STREAMS
from sandbox.records import Deployment, Registry, utc_now

PROJECT = Path(__file__).resolve().parent.parent
DEPLOY_BRANCH = "main"

CreateRepository = Callable[[str, Path, str], str]
"""Full name, folder with the first commit's content, message; gives the commit."""


class WorldError(Exception):
    """The world did not come up; the message says what did not."""


class World:
    """Everything that runs on the platform. `start` and `stop` it once.

    Args:
        root: folder below which everything is written.
        healthy: names of the services that are deployed without their fault.
        services: names of the services that exist; all when None.
        load: whether traffic is sent.
    """

    def __init__(
        self,
        root: Path,
        healthy: frozenset[str] = frozenset(),
        services: tuple[str, ...] | None = None,
        *,
        load: bool = True,
    ) -> None:
        self.root = root
        self.healthy = healthy
        self.specs = tuple(s for s in BLUEPRINT if services is None or s.name in services)
        self.registry = Registry()
        self.started = utc_now()
        self.edge = Edge(self._find_by_host)
        self._load_wanted = load
        self._load: subprocess.Popen[bytes] | None = None
        self._launcher = Launcher()
        self._limiter = CpuLimiter()
        self.provider = Provider(self.started, is_up="checkout-api" in healthy)
        self.egress = Egress(self._find_by_id, self.provider)
        self.starter = Starter(root, self._launcher, self._limiter, self.egress)
        self._keeper = Keeper(self.registry, self.starter)
        self._deployer: Deployer | None = None
        self._deploys = ThreadPoolExecutor(max_workers=4, thread_name_prefix="deploy")
        self._hosts = {spec.domain: spec.name for spec in self.specs if spec.domain}
        self._repositories = {spec.repository: spec for spec in self.specs if spec.repository}
        self._stopped = threading.Event()

    def start(self, create_repository: CreateRepository, git_dir: Callable[[str], Path]) -> None:
        """Create the repositories, deploy everything and send traffic; WorldError if one fails."""
        self._deployer = Deployer(self.root, self.registry, self.starter, git_dir)
        for spec in self.specs:
            self._deployer.prepare(spec)
        self.edge.start()
        self.egress.start()
        self._keeper.start()
        first = [s for s in self.specs if s.role is Role.tcp]
        self._deploy_all(first, create_repository)
        self._deploy_all([s for s in self.specs if s not in first], create_repository)
        self._require_active()
        if self._load_wanted:
            self._start_load()

    def stop(self) -> None:
        """End every process that was started, and every thread."""
        self._stopped.set()
        if self._load is not None:
            _end_load(self._load)
        self._deploys.shutdown(cancel_futures=True)
        if self._deployer is not None:
            self._keeper.close()
            self.edge.close()
            self.egress.close()
        self._limiter.close()
        for deployment in self.registry.all():
            if deployment.container:
                deployment.container.stop()
        self._launcher.close()

    def on_push(self, repository: str, branch: str, commit: str) -> None:
        """A branch has moved: deploy when it is the one that is deployed."""
        spec = self._repositories.get(repository)
        if spec and branch == DEPLOY_BRANCH and not self._stopped.is_set():
            self._deploys.submit(self._deploy, spec, commit)

    def roll_back(self, deployment: Deployment) -> None:
        """Deploy once more what an earlier deployment was made from."""
        self._deploys.submit(self._deploy, deployment.spec, deployment.commit, "rollback")

    def load_pid(self) -> int | None:
        """The process that sends the traffic."""
        return self._load.pid if self._load else None

    def source(self, spec: ServiceSpec) -> Path:
        """A folder with the service's code as its repository begins."""
        folder = self.root / "sources" / spec.name
        copy_service(spec.name, folder, healthy=spec.name in self.healthy)
        return folder

    def _deploy(self, spec: ServiceSpec, commit: str | None, reason: str = "deploy") -> None:
        if self._deployer is not None:
            self._deployer.deploy(spec, commit, DEPLOY_BRANCH, reason)

    def _deploy_all(self, specs: list[ServiceSpec], create_repository: CreateRepository) -> None:
        def begin(spec: ServiceSpec) -> None:
            commit = None
            if spec.repository:
                message = f"Add {spec.name}"
                commit = create_repository(spec.repository, self.source(spec), message)
            self._deploy(spec, commit)

        underway: list[Future[None]] = [self._deploys.submit(begin, spec) for spec in specs]
        for future in underway:
            future.result()

    def _require_active(self) -> None:
        missing = [spec.name for spec in self.specs if self.registry.active(spec.name) is None]
        if missing:
            notes = [
                line.message
                for deployment in self.registry.all()
                if deployment.spec.name in missing
                for line in (*deployment.build_log, *deployment.log)
            ]
            raise WorldError(f"did not come up: {', '.join(missing)}\n" + "\n".join(notes[-20:]))

    def _find_by_host(self, host: str) -> Deployment | None:
        name = self._hosts.get(host)
        return self.registry.active(name) if name else None

    def _find_by_id(self, deployment_id: str) -> Deployment | None:
        return next((d for d in self.registry.all() if d.id == deployment_id), None)

    def _start_load(self) -> None:
        names = [spec.name for spec in self.specs if spec.name in STREAMS]
        self._load = self._launcher.start(
            [sys.executable, "-m", "sandbox.load", str(self.edge.port), *names],
            environment={"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=self.root,
            stdin=subprocess.PIPE,
        )


def copy_service(name: str, folder: Path, *, healthy: bool) -> None:
    """The code of a service into a new folder, with or without its fault."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    source = next(spec.source for spec in BLUEPRINT if spec.name == name)
    shutil.copytree(source, folder, ignore=ignored)
    if healthy and (HEALTHY / name).is_dir():
        shutil.copytree(HEALTHY / name, folder, ignore=ignored, dirs_exist_ok=True)


def _end_load(load: subprocess.Popen[bytes]) -> None:
    if load.stdin:
        load.stdin.close()
    deadline = time.monotonic() + 3
    while load.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    load.kill()
    load.wait()
    for stream in (load.stdout, load.stderr):
        if stream:
            stream.close()
