from __future__ import annotations

from pathlib import Path

import pytest
from prefect import flow, task
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH

import tasks  # noqa: F401 - what it sets when it is imported is what is tested

pytestmark = [pytest.mark.flow, pytest.mark.usefixtures("prefect_server")]


@task(persist_result=True, result_serializer="json", cache_key_fn=lambda *_: "storage-mode-1")
def keep() -> str:
    return "kept"


@flow(name="keeping")
def keeping() -> str:
    return keep()


def test_a_persisted_result_is_its_owners_alone() -> None:
    """Results hold what was read from a project."""
    assert keeping() == "kept"
    folder = PREFECT_LOCAL_STORAGE_PATH.value()
    assert folder is not None
    file = Path(folder) / "storage-mode-1"
    assert file.stat().st_mode & 0o077 == 0
