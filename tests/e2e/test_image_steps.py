"""What the Dockerfile does, in a clean folder: no container engine is needed to know that it works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections import Counter
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the image copies, and an environment with what its lock file names.

    The packages are those of this environment, which the same hashes let in; the project itself is
    installed as the image installs it.
    """
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
    venv.create(root / "venv")
    (packages,) = (root / "venv").glob("lib/python*/site-packages")
    _link_packages(app / "requirements.runtime.lock", packages)
    install = ["install", "--quiet", "--no-compile", "--no-deps", "--no-build-isolation", "."]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(root / "venv"), *install],
        cwd=app,
        check=True,
        capture_output=True,
    )
    return root


def _link_packages(lock: Path, packages: Path) -> None:
    """Each package that the lock file names, at its version, and nothing else."""
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*)", lock.read_text(), re.MULTILINE)
    pins = [pin for pin in map(Requirement, lines) if not pin.marker or pin.marker.evaluate()]
    shared = Counter(top for each in distributions() for top in _tops(each))
    for pin in pins:
        found = distribution(pin.name)
        assert found.version in pin.specifier, pin
        for file in found.files or ():
            alone = shared[file.parts[0]] == 1
            place = Path(file.parts[0]) if alone else Path(file)
            target = packages / place
            if ".." in file.parts or target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(found.locate_file(place))


def _tops(package: Distribution) -> set[str]:
    """What of the package stands in the folder of packages itself."""
    return {file.parts[0] for file in package.files or () if ".." not in file.parts}


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
