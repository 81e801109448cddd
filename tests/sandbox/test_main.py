"""The sandbox as a process of its own: it says when it serves, and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.support.sandbox import start_sandbox


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_a_signal_ends_the_sandbox_with_all_its_processes(tmp_path: Path) -> None:
    """Settings when everything serves; after SIGTERM no process, no file."""
    with start_sandbox(tmp_path) as (process, ready):
        assert ready["settings"]["RAILWAY_TOKEN"]
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 6, "a process for each service"
    assert process.returncode == 0
    _, alive = psutil.wait_procs(children, timeout=1)
    assert alive == [], "processes are left"
    assert not (tmp_path / "ready.json").exists()
    assert list((tmp_path / "root").iterdir()) == []
