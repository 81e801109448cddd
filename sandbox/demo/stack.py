"""Everything that runs during the demo: the sandbox, Prefect with a worker, and OpenCode."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sandbox.demo.prefect_api import PrefectApi
from sandbox.demo.processes import DemoError, Processes, free_port

PROJECT = Path(__file__).resolve().parent.parent.parent
SCHEDULED = ("monitor_project_health", "verify_fix")
_LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Who holds which slot has to outlive the server, whose slots do."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "OPENCODE_BIN")


@dataclass(frozen=True)
class Model:
    """Which model the demo runs on."""

    environment: dict[str, str]
    name: str
    scripted: bool


class Stack:
    """Addresses and processes of one demo; everything lies below `root`."""

    def __init__(
        self,
        root: Path,
        processes: Processes,
        healthy: tuple[str, ...] = (),
        server: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet; the `healthy` services are deployed without their fault.

        `server` are further settings of the Prefect server.
        """
        self._server = dict(server or {})
        self.root = root
        self._healthy = healthy
        self.processes = processes
        self.world: dict[str, Any] = {}
        self.prefect_url = f"http://127.0.0.1:{free_port()}"
        self.opencode_url = f"http://127.0.0.1:{free_port()}"
        self.opencode_password = secrets.token_urlsafe(24)
        self.prefect = PrefectApi(f"{self.prefect_url}/api")

    @property
    def settings(self) -> dict[str, str]:
        """The product's settings, ready-made by the sandbox."""
        found: dict[str, str] = self.world["settings"]
        return found

    def start_base(self) -> None:
        """The Prefect server and the sandbox, at the same time."""
        self.start_server()
        ready = self.root / "world.json"
        command = [sys.executable, "-m", "sandbox", "--root", str(self.root / "world")]
        if self._healthy:
            command += ["--healthy", *self._healthy]
        self.processes.start(
            "sandbox", [*command, "--ready", str(ready)], self._environment(), PROJECT
        )
        self.processes.wait_until("sandbox", ready.exists, 60)
        self.world = json.loads(ready.read_text(encoding="utf-8"))

    def start_server(self) -> None:
        """The Prefect server; it may not be ready yet."""
        port = self.prefect_url.rpartition(":")[2]
        server = [sys.executable, "-m", "prefect", "server", "start"]
        self.processes.start(
            "prefect-server",
            [*server, "--host", "127.0.0.1", "--port", port],
            {**self._environment(), **self._server},
            PROJECT,
        )

    def start_agent(self, model: Model) -> None:
        """The OpenCode server, with nothing in its environment that the agent must not have."""
        home = self.root / "agent"
        home.mkdir(exist_ok=True)
        host, _, port = self.opencode_url.removeprefix("http://").partition(":")
        environment = {
            **self._passed_on(),
            "HOME": str(home),
            "OPENCODE_HOST": host,
            "OPENCODE_PORT": port,
            "OPENCODE_SERVER_PASSWORD": self.opencode_password,
            **model.environment,
        }
        script = PROJECT / "opencode" / "serve.sh"
        self.processes.start("opencode", ["bash", str(script)], environment, home)
        self.processes.wait_until("opencode", self._agent_is_healthy, 60)

    def deploy(self) -> None:
        """The flows from prefect.yaml, through the same command a person runs."""
        self.processes.wait_until("prefect-server", self.prefect.is_healthy, 120)
        done = subprocess.run(
            [sys.executable, "-m", "flows.deploy"],
            cwd=PROJECT,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        if done.returncode:
            raise DemoError(f"the flows could not be deployed:\n{done.stdout}{done.stderr}")

    def pause_schedules(self) -> None:
        """Let nothing run but what is started by hand."""
        for flow in SCHEDULED:
            self.prefect.pause_schedules(self.prefect.deployment(flow)["id"])

    def start_worker(
        self, model: Model, more: Mapping[str, str] | None = None, name: str = "prefect-worker"
    ) -> None:
        """A process worker that holds the product's settings, and `more` if need be."""
        environment = {
            **self.product_environment(model),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            **(more or {}),
        }
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "autofix"]
        self.processes.start(name, [*command, "--type", "process"], environment, PROJECT)
        self.processes.wait_until(name, lambda: self.prefect.has_worker("autofix"), 60)

    def has_session(self) -> bool:
        """Whether the agent has been given something to do."""
        answer = httpx.get(
            f"{self.opencode_url}/experimental/session",
            auth=("opencode", self.opencode_password),
            timeout=10,
            trust_env=False,
        )
        sessions: list[dict[str, Any]] = answer.raise_for_status().json()
        return any((session.get("metadata") or {}).get("work") for session in sessions)

    def doctor(self, model: Model) -> list[dict[str, Any]]:
        """What the product's own doctor finds wrong, where two paused schedules are on purpose."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("autofix")), "doctor", "--json"],
            cwd=self.root,
            env=self.product_environment(model),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if not done.stdout.startswith("{"):
            raise DemoError(f"autofix doctor did not answer:\n{done.stdout}{done.stderr}")
        checks: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
        paused = {f"Deployment {flow}" for flow in SCHEDULED}
        return [c for c in checks if not c["ok"] and c["name"] not in paused]

    def product_environment(self, model: Model) -> dict[str, str]:
        """The environment the product runs in: Prefect's address and every setting."""
        return {
            **self._environment(),
            **self.settings,
            **model.environment,
            "OPENCODE_URL": self.opencode_url,
            "OPENCODE_SERVER_PASSWORD": self.opencode_password,
            "OPENCODE_WORKSPACE": str(self.root / "agent" / "work"),
        }

    def model(self) -> Model:
        """The rehearsal model, or a real one when a key is set."""
        key = os.environ.get("OPENAI_API_KEY")
        if not key:
            names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AUTOFIX_MODEL", "AUTOFIX_AGENT_MODEL")
            chosen = {name: self.settings[name] for name in names}
            return Model(chosen, "rehearsal model (scripted)", scripted=True)
        base = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
        planner = os.environ.get("AUTOFIX_MODEL", "openai:gpt-5")
        agent = os.environ.get("AUTOFIX_AGENT_MODEL", planner.replace(":", "/", 1))
        chosen = {
            "OPENAI_API_KEY": key,
            "OPENAI_BASE_URL": base,
            "AUTOFIX_MODEL": planner,
            "AUTOFIX_AGENT_MODEL": agent,
        }
        return Model(chosen, f"{planner} and {agent}", scripted=False)

    def require_alive(self) -> None:
        """DemoError when something that must run has ended."""
        for name in ("prefect-server", "sandbox", "opencode", "prefect-worker"):
            self.processes.require_running(name)

    def _agent_is_healthy(self) -> bool:
        try:
            answer = httpx.get(
                f"{self.opencode_url}/global/health",
                auth=("opencode", self.opencode_password),
                timeout=2,
                trust_env=False,
            )
        except httpx.HTTPError:
            return False
        return answer.is_success

    def _environment(self) -> dict[str, str]:
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        return {
            **self._passed_on(),
            "HOME": str(home),
            "PREFECT_HOME": str(self.root / "prefect"),
            "PREFECT_API_URL": f"{self.prefect_url}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": _LEASES,
            "DO_NOT_TRACK": "1",
            "AUTOFIX_DIR": str(PROJECT),
        }

    def _passed_on(self) -> dict[str, str]:
        """What every process gets of the person's environment; temporary files stay in `root`."""
        temporary = self.root / "tmp"
        temporary.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return kept | {"TMPDIR": str(temporary)}
