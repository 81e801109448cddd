from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from tasks.prune import prune
from tests.conftest import NOW


def _file(folder: Path, name: str, age: timedelta) -> Path:
    file = folder / name
    file.write_text("{}")
    at = (NOW - age).timestamp()
    os.utime(file, (at, at))
    return file


def test_only_what_is_old_is_removed_and_only_so_much_at_once(tmp_path: Path) -> None:
    """Folders and young files stay; the rest of the old ones waits for the next run."""
    young = _file(tmp_path, "plan-1", timedelta(days=13))
    for number in range(5):
        _file(tmp_path, f"observe-{number}", timedelta(days=15))
    (tmp_path / "folder").mkdir()
    before = NOW - timedelta(days=14)
    assert prune(tmp_path, before, 3) == 3
    assert prune(tmp_path, before, 3) == 2
    assert prune(tmp_path, before, 3) == 0
    assert young.exists()
    assert (tmp_path / "folder").exists()


def test_a_folder_that_is_not_there_has_nothing_to_prune(tmp_path: Path) -> None:
    """Before the first result."""
    assert prune(tmp_path / "none", NOW, 3) == 0
