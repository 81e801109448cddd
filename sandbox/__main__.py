"""Starts the sandbox: ``python -m sandbox --root DIR --ready FILE [--healthy NAME …] [--idle]``.

FILE appears when everything serves; it holds the settings for the product as JSON. SIGTERM and
SIGINT end the sandbox with all its processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from sandbox.blueprint import CURABLE, ENVIRONMENT_ID, PROJECT_ID
from sandbox.egress import PROVIDER_HOST
from sandbox.faults import Faults
from sandbox.forge.app import Forge
from sandbox.model.app import build_app as build_model
from sandbox.railway.app import build_app as build_railway
from sandbox.world import World, WorldError

MODEL = "rehearsal-scripted"


class Server(uvicorn.Server):
    """A server that leaves signals to the sandbox and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serves = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self.serves.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


class Sandbox:
    """The world with the servers around it."""

    def __init__(self, root: Path, healthy: frozenset[str], *, load: bool) -> None:
        self.root = root
        names = ("railway", "model", "forge", "status")
        self.tokens = {name: secrets.token_urlsafe(24) for name in names}
        self.world = World(root / "world", healthy, load=load)
        self.forge = Forge(root / "forge", self.tokens["forge"], self.world.on_push)
        self._sockets = {name: _listen() for name in names}
        self._servers: list[Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the world, then everything that talks about it."""
        world = self.world
        await asyncio.to_thread(world.start, self.forge.create_repository, self.forge.git_dir)
        apps: dict[str, ASGIApp] = {
            "railway": build_railway(world, self.tokens["railway"]),
            "forge": self.forge.app,
            "model": build_model(),
            "status": world.provider.status_page(),
        }
        for name, app in apps.items():
            config = uvicorn.Config(
                Faults(app, name),
                log_level="error",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
            server = Server(config)
            self._servers.append(server)
            self._tasks.append(asyncio.create_task(server.serve(sockets=[self._sockets[name]])))
        await asyncio.gather(*(server.serves.wait() for server in self._servers))

    async def stop(self) -> None:
        """End all of it."""
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listener in self._sockets.values():
            listener.close()
        await asyncio.to_thread(self.world.stop)

    def describe(self) -> dict[str, Any]:
        """What the product and its tests need to know."""
        at = {n: f"http://127.0.0.1:{s.getsockname()[1]}" for n, s in self._sockets.items()}
        settings = {
            "RAILWAY_API_URL": f"{at['railway']}/graphql/v2",
            "RAILWAY_TOKEN": self.tokens["railway"],
            "RAILWAY_PROJECT_ID": PROJECT_ID,
            "RAILWAY_ENVIRONMENT_ID": ENVIRONMENT_ID,
            "OPENAI_BASE_URL": f"{at['model']}/v1",
            "OPENAI_API_KEY": self.tokens["model"],
            "AUTOFIX_MODEL": f"openai:{MODEL}",
            "AUTOFIX_AGENT_MODEL": f"rehearsal/{MODEL}",
            "GITHUB_API_URL": at["forge"],
            "GITHUB_URL": at["forge"],
            "GITHUB_TOKEN": self.tokens["forge"],
            "AUTOFIX_PROVIDERS": str(self._write_providers(at["status"])),
            "AUTOFIX_CACHE_DIR": str(self.root / "cache"),
        }
        services = {
            spec.name: {"id": spec.id, "domain": spec.domain, "repository": spec.repository}
            for spec in self.world.specs
        }
        addresses = at | {"edge": f"http://127.0.0.1:{self.world.edge.port}"}
        return {"settings": settings, "addresses": addresses, "services": services}

    def _write_providers(self, status: str) -> Path:
        """The provider that exists in the sandbox alone, as the product is told of one."""
        file = self.root / "providers.toml"
        file.write_text(
            f"""[paywell]
name = "Paywell"
page = "{status}/paywell"
format = "statuspage"
status = "{status}/paywell/api/v2/summary.json"
variables = ["PAYWELL_*"]
hosts = ["{PROVIDER_HOST}"]
""",
            encoding="utf-8",
        )
        return file


async def run(root: Path, ready: Path, healthy: frozenset[str], *, load: bool) -> None:
    """Run until a signal says so; with `load`, traffic is sent."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    sandbox = Sandbox(root, healthy, load=load)
    try:
        await sandbox.start()
        _write_private(ready, json.dumps(sandbox.describe(), indent=2))
        await ended.wait()
    finally:
        await sandbox.stop()


def _listen() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def _write_private(path: Path, text: str) -> None:
    """Write a file that appears at once and that only its owner can read."""
    unfinished = path.with_name(path.name + ".new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder for everything it writes")
    parser.add_argument("--ready", type=Path, required=True, help="file that says it is up")
    parser.add_argument(
        "--healthy",
        nargs="*",
        default=[],
        choices=CURABLE,
        metavar="NAME",
        help=f"services without their fault: {', '.join(CURABLE)}",
    )
    parser.add_argument("--idle", action="store_true", help="send no traffic")
    arguments = parser.parse_args()
    root, ready = arguments.root.resolve(), arguments.ready.resolve()
    root.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(run(root, ready, frozenset(arguments.healthy), load=not arguments.idle))
    except WorldError as error:
        parser.exit(1, f"sandbox: {error}\n")
    finally:
        ready.unlink(missing_ok=True)
        for folder in ("world", "forge", "cache"):
            shutil.rmtree(root / folder, ignore_errors=True)
        (root / "providers.toml").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
