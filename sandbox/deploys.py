"""Deploys: from a commit to a process that serves, one service's after the other."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.blueprint import ENVIRONMENT_NAME, PROJECT_NAME, Role, ServiceSpec
from sandbox.containers import Container, Launcher, free_port
from sandbox.egress import Egress
from sandbox.limits import CpuLimiter
from sandbox.records import Deployment, Registry, Step, utc_now

UP_SECONDS = 20.0
"""How long a deployment may take to answer for the first time."""
STEADY_SECONDS = 0.5
"""How long a process without a port must run to count as up."""


class DeployFailed(Exception):
    """A deployment did not come up; `status` is what it ends as."""

    def __init__(self, message: str, status: str = "FAILED") -> None:
        """Keep the reason and the status."""
        super().__init__(message)
        self.status = status


class Starter:
    """Starts a deployment's process with its address, its variables and its limits."""

    def __init__(self, root: Path, launcher: Launcher, limiter: CpuLimiter, egress: Egress) -> None:
        self._egress = egress
        self._volumes = root / "volumes"
        self._launcher = launcher
        self._limiter = limiter
        self._private: dict[str, int] = {}
        self._lock = threading.Lock()

    def private_port(self, name: str) -> int:
        """The port at which other services reach this one; it never changes."""
        with self._lock:
            return self._private.setdefault(name, free_port())

    def volume(self, spec: ServiceSpec) -> Path | None:
        """The folder of a service's volume; None without one."""
        return self._volumes / spec.name if spec.mount_path else None

    def start(self, deployment: Deployment) -> Container:
        """Start the process, also again after it has ended."""
        spec = deployment.spec
        process = self._launcher.start(
            [sys.executable, "-S", "app.py"],
            environment=self._environment(deployment),
            cwd=deployment.folder,
        )
        container = Container(process, deployment.write)
        deployment.container = container
        self._limiter.add(container, spec.cpu_limit)
        return container

    def _environment(self, deployment: Deployment) -> dict[str, str]:
        spec = deployment.spec
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(deployment.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RAILWAY_PROJECT_NAME": PROJECT_NAME,
            "RAILWAY_ENVIRONMENT_NAME": ENVIRONMENT_NAME,
            "RAILWAY_SERVICE_NAME": spec.name,
        }
        if deployment.port:
            variables["PORT"] = str(deployment.port)
        if volume := self.volume(spec):
            variables["DATA_DIRECTORY"] = str(volume)
        for name, other in spec.references.items():
            variables[name] = f"127.0.0.1:{self.private_port(other)}"
        if spec.upstreams:
            variables |= {**spec.upstreams, "http_proxy": self._egress.address(deployment)}
        return variables


class Deployer:
    """Brings commits up and takes their predecessors down."""

    def __init__(
        self,
        root: Path,
        registry: Registry,
        starter: Starter,
        git_dir: Callable[[str], Path],
    ) -> None:
        """`git_dir` finds the bare repository of an ``owner/name``."""
        self._folders = root / "deployments"
        self._registry = registry
        self._starter = starter
        self._git_dir = git_dir
        self._locks: dict[str, threading.Lock] = {}

    def prepare(self, spec: ServiceSpec) -> None:
        """Make ready for deploys of this service."""
        self._locks[spec.name] = threading.Lock()

    def deploy(
        self, spec: ServiceSpec, commit: str | None, branch: str, reason: str = "deploy"
    ) -> None:
        """Deploy a commit (or the image); a failure keeps what serves and shows in the status."""
        deployment = Deployment(spec, self._folders, commit=commit, branch=branch, reason=reason)
        deployment.folder = self._folders / spec.name / deployment.id
        self._registry.add(deployment)
        with self._locks[spec.name]:
            try:
                self._build(deployment)
                self._bring_up(deployment)
            except DeployFailed as error:
                self._give_up(deployment, error)
            except OSError as error:
                self._give_up(deployment, DeployFailed(str(error)))
            else:
                self._switch(deployment)

    def _build(self, deployment: Deployment) -> None:
        deployment.set_status("BUILDING")
        with _step(deployment, "SNAPSHOT_CODE"):
            if deployment.spec.image:
                shutil.copytree(deployment.spec.source, deployment.folder, ignore=_COMPILED)
                deployment.build(f"pulled image {deployment.spec.image}")
            else:
                self._check_out(deployment)
        with _step(deployment, "BUILD_IMAGE"):
            for file in sorted(deployment.folder.glob("*.py")):
                try:
                    compile(file.read_text(encoding="utf-8"), file.name, "exec")
                except (SyntaxError, ValueError) as error:
                    raise DeployFailed(f"{file.name} does not compile: {error}") from error
                deployment.build(f"compiled {file.name}")

    def _check_out(self, deployment: Deployment) -> None:
        repository, commit = str(deployment.spec.repository), str(deployment.commit)
        source = self._git_dir(repository)
        shown = _git("-C", str(source), "show", "-s", "--format=%an%x1f%B", commit)
        author, _, message = shown.partition("\x1f")
        deployment.author, deployment.message = author, message.strip()
        _git("clone", "--quiet", "--no-checkout", str(source), str(deployment.folder))
        _git("-C", str(deployment.folder), "checkout", "--quiet", "--detach", commit)
        deployment.build(f"cloned {repository} at {commit}")

    def _bring_up(self, deployment: Deployment) -> None:
        deployment.set_status("DEPLOYING")
        if deployment.spec.role is Role.cron:
            return
        if deployment.spec.role is Role.tcp:
            deployment.port = self._starter.private_port(deployment.spec.name)
        elif deployment.spec.role is Role.web:
            deployment.port = free_port()
        with _step(deployment, "CREATE_CONTAINER"):
            self._starter.start(deployment)
        with _step(deployment, "HEALTHCHECK"):
            _wait_until_up(deployment)

    def _switch(self, deployment: Deployment) -> None:
        deployment.set_status("SUCCESS")
        before = self._registry.activate(deployment)
        if before is None:
            return
        with _step(deployment, "DRAIN_INSTANCES"):
            before.set_status("REMOVED")
            if before.container:
                before.container.stop()

    def _give_up(self, deployment: Deployment, error: DeployFailed) -> None:
        deployment.note("error", str(error))
        deployment.build(f"deploy failed: {error}")
        deployment.set_status(error.status)
        if deployment.container:
            deployment.container.stop()


_COMPILED = shutil.ignore_patterns("__pycache__", "*.pyc")


@contextmanager
def _step(deployment: Deployment, name: str) -> Iterator[None]:
    step = Step(name, utc_now())
    deployment.steps.append(step)
    try:
        yield
    except DeployFailed as error:
        step.error = str(error)
        raise
    finally:
        step.completed = utc_now()


def _git(*arguments: str) -> str:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise DeployFailed(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def _wait_until_up(deployment: Deployment) -> None:
    container = deployment.container
    deadline = time.monotonic() + UP_SECONDS
    steady = time.monotonic() + STEADY_SECONDS
    while time.monotonic() < deadline:
        if container is None or container.exit_status is not None:
            status = container.exit_status if container else None
            raise DeployFailed(f"Container exited with status {status}", "CRASHED")
        if deployment.port == 0 and time.monotonic() > steady:
            return
        if deployment.port and answers(deployment):
            return
        time.sleep(0.05)
    raise DeployFailed(f"Healthcheck failed: no answer within {UP_SECONDS:g} s")


def answers(deployment: Deployment) -> bool:
    """Whether a deployment serves on its port now."""
    path = deployment.spec.health_path
    try:
        if path is None:
            socket.create_connection(("127.0.0.1", deployment.port), 1).close()
            return True
        connection = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=2)
        try:
            connection.request("GET", path)
            return 200 <= connection.getresponse().status < 300
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
