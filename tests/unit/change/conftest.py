"""Settings and small repositories for the tests of a change."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina

from autofix.settings import Settings


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retries happen at once, and three times at most."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def settings() -> Settings:
    return Settings(
        _env_file=None,
        opencode_url="http://agent:4096",
        opencode_server_password="pw-of-the-server",
        opencode_workspace="/work",
        github_token="ghp_token-of-a-test",
        github_api_url="https://api.forge.test",
        github_url="https://forge.test",
    )


class Repository:
    """A git repository in a temporary folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str) -> str:
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.test"]
        out = subprocess.run(
            ["git", *identity, *args], cwd=self.path, check=True, capture_output=True, text=True
        )
        return out.stdout.strip()

    def commit(self, files: dict[str, str | bytes | None], message: str = "Change") -> str:
        """Write (or delete) files and commit them."""
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Repository]:
    return lambda name="repository": Repository(tmp_path / name)


@pytest.fixture
def repository(make_repository: Callable[..., Repository]) -> Repository:
    return make_repository()
