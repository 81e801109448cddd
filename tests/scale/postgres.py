"""A PostgreSQL cluster of our own, on loopback, in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from sandbox.demo.processes import DemoError, free_port

INSTALL = "apt-get install postgresql   # or your system's package with initdb and postgres"
_NOBODY = "nobody"
_READY_SECONDS = 60


def find_binary(name: str) -> Path:
    """A program of PostgreSQL's server; DemoError with the install line when it is not there."""
    found = shutil.which(name)
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    # distributions put wrappers into the path that know clusters of theirs only
    if versions:
        return versions[0]
    if found:
        return Path(found)
    raise DemoError(f"{name} is not there; install PostgreSQL's server: {INSTALL}")


@contextlib.contextmanager
def open_cluster(root: Path) -> Iterator[str]:
    """The address for Prefect's server; the cluster is gone afterwards."""
    initdb, server = find_binary("initdb"), find_binary("postgres")
    data, port = root / "postgres", free_port()
    data.mkdir(mode=0o700)
    user = _NOBODY if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user:
        root.chmod(0o755)
        shutil.chown(data, user)
    _run([initdb, "--pgdata", data, "--auth", "trust", "--username", "prefect"], user)
    log = (root / "postgres.log").open("wb")
    command = [server, "-D", data, "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1"]
    process = subprocess.Popen(
        [str(part) for part in command], stdout=log, stderr=log, user=user, start_new_session=True
    )
    try:
        _wait(process, data, port, user)
        yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/prefect"
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        log.close()


def _wait(process: subprocess.Popen[bytes], data: Path, port: int, user: str | None) -> None:
    create = [find_binary("createdb"), "-h", data, "-p", str(port), "-U", "prefect", "prefect"]
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        if process.poll() is not None:
            raise DemoError(f"postgres ended with exit status {process.returncode}")
        try:
            _run(create, user)
        except subprocess.CalledProcessError as error:
            if time.monotonic() > deadline:
                raise DemoError(f"postgres was not ready in time: {error.stderr}") from error
            time.sleep(0.5)
        else:
            return


def _run(command: list[object], user: str | None) -> None:
    words = [str(part) for part in command]
    subprocess.run(words, check=True, capture_output=True, text=True, user=user, cwd="/")
