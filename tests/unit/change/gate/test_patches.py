"""The gate on whole patches in a real repository: what has to pass, and what has to be denied."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from autofix.change.gate import judge
from tests.unit.change.gate.denied import DENIED
from tests.unit.change.gate.passing import PASSING
from tests.unit.change.gate.world import BASE, Patch, Work


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = Work(tmp_path_factory.mktemp("origin"))
    work.git("init", "-q", "-b", "main")
    work.write(BASE)
    work.commit("Begin")
    return work.path


@pytest.fixture
def work(origin: Path, tmp_path: Path) -> Iterator[Work]:
    copy = tmp_path / "work"
    shutil.copytree(origin, copy, symlinks=True)
    yield Work(copy)
    shutil.rmtree(copy)


@pytest.mark.parametrize("patch", PASSING, ids=lambda patch: patch.name)
def test_a_good_fix_passes(work: Work, patch: Patch) -> None:
    """What a person would merge without a second thought is not held back."""
    base = work.head
    patch.apply(work)
    result = judge(work.path, base, work.head, patch.options)
    assert result.denials == ()
    assert result.files


@pytest.mark.parametrize("patch", DENIED, ids=lambda patch: patch.name)
def test_a_bad_patch_is_denied_for_its_reason(work: Work, patch: Patch) -> None:
    """Exactly the rules and paths that are to blame are named, each with a sentence."""
    base = work.head
    patch.apply(work)
    result = judge(work.path, base, work.head, patch.options)
    assert {(denial.rule, denial.path) for denial in result.denials} == patch.denied
    assert all(denial.reason.endswith(".") for denial in result.denials)


def test_the_suite_is_as_big_as_it_says() -> None:
    """At least 20 patches that pass and 40 that do not, no two of the same name."""
    names = [patch.name for patch in (*PASSING, *DENIED)]
    assert len(PASSING) >= 20
    assert len(DENIED) >= 40
    assert len(set(names)) == len(names)
