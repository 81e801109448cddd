"""`make up` and `make down` against the sandbox: starts everything, and leaves nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.sandbox import start_sandbox

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The sandbox's ready-made settings; nobody looks at its traffic."""
    with start_sandbox(tmp_path_factory.mktemp("sandbox"), "--idle") as (_, ready):
        yield ready["settings"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what runs, so that `.env` and `.autofix` are not the working folder's own."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("autofix", "flows", "tasks", "opencode"):
        ignored = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    for name in ("prefect.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, project / name)
    (project / "opencode" / "node_modules").symlink_to(ROOT / "opencode" / "node_modules")
    return project


def _environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": ""}


def _up(project: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.up", *arguments]


def _left_over(project: Path) -> list[Any]:
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(project) in line or str(project) in (process.info["cwd"] or ""):
            found.append(line)
    return found


def test_up_starts_everything_and_down_ends_it(
    sandbox: dict[str, str], project: Path, tmp_path: Path
) -> None:
    """The doctor is content, the flows are deployed, a worker lives; afterwards nothing is left."""
    (project / ".env").write_text("".join(f"{k}={v}\n" for k, v in sandbox.items()))
    environment = _environment(tmp_path)
    log = tmp_path / "up.log"
    with log.open("w") as out:
        up = subprocess.Popen(
            _up(project), cwd=project, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 180
        while "stops everything" not in log.read_text():
            assert up.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        said = log.read_text()
        assert "✘" not in said, said
        assert "deployed to work pool 'autofix'" in said
        again = subprocess.run(
            _up(project), cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert again.returncode == 1
        assert "it runs already" in again.stderr
    finally:
        down = subprocess.run(
            _up(project, "--down"),
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        up.wait(60)
    assert down.returncode == 0, down.stderr
    assert _left_over(project) == []
    mode = (project / ".autofix").stat().st_mode & 0o777
    assert mode == 0o700


def test_up_without_settings_names_them_and_starts_nothing(project: Path, tmp_path: Path) -> None:
    """One line each, exit status 1, no process and no pid file."""
    done = subprocess.run(
        _up(project),
        cwd=project,
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "RAILWAY_TOKEN is not set" in " ".join(done.stdout.split())
    assert "nothing was started" in done.stderr
    assert "Traceback" not in done.stderr
    assert _left_over(project) == []
    assert not (project / ".autofix" / "up.pid").exists()
