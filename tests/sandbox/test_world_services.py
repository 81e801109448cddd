"""The services of the sandbox: their own tests, their faults, their healthy variants."""

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.blueprint import BLUEPRINT, HEALTHY
from sandbox.reproduce import REPRODUCTIONS
from sandbox.world import copy_service

SICK = sorted(REPRODUCTIONS)
TESTED = [spec.name for spec in BLUEPRINT if spec.repository]


def _unittest(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "unittest"], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("name", TESTED)
def test_its_own_tests_pass_as_deployed(name: str, tmp_path: Path) -> None:
    copy_service(name, tmp_path / name, healthy=False)
    assert _unittest(tmp_path / name) == ""


@pytest.mark.parametrize("name", SICK)
def test_its_own_tests_pass_without_the_fault(name: str, tmp_path: Path) -> None:
    copy_service(name, tmp_path / name, healthy=True)
    assert _unittest(tmp_path / name) == ""


@pytest.mark.parametrize("name", SICK)
def test_the_fault_shows_and_is_gone_in_the_healthy_variant(name: str, tmp_path: Path) -> None:
    copy_service(name, tmp_path / "sick", healthy=False)
    copy_service(name, tmp_path / "healthy", healthy=True)
    sick = REPRODUCTIONS[name](tmp_path / "sick")
    healthy = REPRODUCTIONS[name](tmp_path / "healthy")
    assert sick.shows, sick.line
    assert not healthy.shows, healthy.line


@pytest.mark.parametrize("name", SICK)
def test_the_healthy_variant_changes_files_that_exist(name: str) -> None:
    """An overlay file with a misspelt name would silently change nothing."""
    spec = next(spec for spec in BLUEPRINT if spec.name == name)
    changed = [path.name for path in (HEALTHY / name).iterdir() if path.suffix != ".pyc"]
    changed = [name for name in changed if name != "__pycache__"]
    assert changed
    for file in changed:
        assert (spec.source / file).read_text() != (HEALTHY / name / file).read_text()


def test_reproduce_refuses_a_name_it_does_not_know(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.reproduce", "mailer", str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stdout


def test_code_that_does_not_start_counts_as_the_fault(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise SystemExit('no')\n")
    command = [sys.executable, "-m", "sandbox.reproduce", "billing-api", str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "does not start: no" in done.stdout
