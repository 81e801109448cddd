from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def _pinned() -> dict[str, list[str]]:
    pins: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line):
            pins.setdefault(match[1].lower().replace("_", "-"), []).append(match[2])
    return pins


def _hashes(lock: str) -> set[str]:
    return set(re.findall("sha256:[0-9a-f]{64}", (ROOT / lock).read_text(encoding="utf-8")))


def _required() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"].values()
    lines = project["project"]["dependencies"] + [
        r for g in groups for r in g if isinstance(r, str)
    ]
    return [Requirement(line) for line in lines]


def test_the_lock_satisfies_every_requirement_of_the_project() -> None:
    """A requirement added or raised without writing the lock anew is seen here."""
    pins = _pinned()
    unmet = [
        str(requirement)
        for requirement in _required()
        if not any(
            requirement.specifier.contains(version, prereleases=True)
            for version in pins.get(requirement.name.lower().replace("_", "-"), [])
        )
    ]
    assert unmet == []


def test_the_lock_has_hashes_and_no_address() -> None:
    """A clone is not tied to one registry, and nothing unpinned is installed."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    blocks = re.findall(r"^[a-z0-9._-]+==.*(?:\n {4}--hash.*)+", text, re.MULTILINE | re.IGNORECASE)
    pins = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    assert len(blocks) == len(pins) > 100


def test_the_images_lock_is_a_part_of_the_other_and_has_no_address() -> None:
    """What runs in production is what was tested: the same files, without what only tests need."""
    text = (ROOT / "requirements.runtime.lock").read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", text, re.MULTILINE)
    tested = _pinned()
    unlike = [p for p in pins if p[1] not in tested.get(p[0].lower().replace("_", "-"), [])]
    assert unlike == []
    hashes = _hashes("requirements.runtime.lock")
    assert hashes <= _hashes("requirements.lock")
    assert len(hashes) > 100
    assert {"prefect", "hatchling"} <= {name for name, _ in pins}
    assert "pytest" not in {name for name, _ in pins}


@pytest.mark.parametrize("folder", ["opencode", "tests/tokenizer"])
def test_the_npm_lock_has_integrity_and_no_address(folder: str) -> None:
    """The same for the agent's server and for what only the tests use."""
    text = (ROOT / folder / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "integrity" in text
    wanted = json.loads((ROOT / folder / "package.json").read_text(encoding="utf-8"))
    assert all(version[0].isdigit() for version in wanted["dependencies"].values())
