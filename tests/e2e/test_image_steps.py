"""What the Dockerfile does, in a clean folder: no container engine is needed to know that it works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the image copies, and its packages installed as it installs them."""
    root = tmp_path_factory.mktemp("image")
    app = root / "app"
    for sources in re.findall(
        r"^COPY (?:--\S+ )*(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    ):
        for source in sources.split():
            target = app / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, target)
    subprocess.run([sys.executable, "-m", "venv", str(root / "venv")], check=True)
    python = root / "venv" / "bin" / "python"
    for arguments in (
        ["--no-deps", "--require-hashes", "--requirement", "requirements.runtime.lock"],
        ["--no-deps", "--no-build-isolation", "."],
    ):
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", *arguments]
        subprocess.run(install, cwd=app, check=True, capture_output=True)
    return root


def _run(image: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{image / 'venv' / 'bin'}:{os.environ['PATH']}",
        "HOME": str(image),
        "PREFECT_HOME": str(image / "prefect"),
        **variables,
    }
    return subprocess.run(
        command,
        cwd=image / "app",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_installed_package_answers(image: Path) -> None:
    """The command line, and the flows as modules, without anything that only tests need."""
    assert _run(image, "autofix", "--help").returncode == 0
    loaded = _run(image, "python", "-c", "import flows.verify_fix, flows.generate_fix")
    assert loaded.returncode == 0, loaded.stderr
    assert _run(image, "python", "-c", "import pytest").returncode != 0


def test_the_entry_point_says_what_it_needs(image: Path) -> None:
    """An unknown word; a worker without a server's address."""
    unknown = _run(image, "bash", "container/run.sh", "dance")
    assert (unknown.returncode, "`server`" in unknown.stderr) == (2, True)
    nowhere = _run(image, "bash", "container/run.sh", "worker")
    assert nowhere.returncode == 2
    assert "PREFECT_API_URL is not set" in nowhere.stderr
