"""Forgets persisted results that nobody asks for any more. Prefect keeps them for ever by itself."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timedelta
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH

from tasks.guard import guarded
from tasks.options import OWN

KEPT = timedelta(days=14)
"""As long as a person's no holds: what a fix rests on is there while it may go on."""
AT_ONCE = 2_000
"""Files that are removed in one run; the rest waits for the next."""


@task(name="prune results", task_run_name="prune results", cache_policy=NO_CACHE, **OWN)
@guarded
def prune_results(now: datetime) -> int:
    """How many results older than `KEPT` were removed from the local storage.

    Results in a storage block (S3 and the like) are left to that storage's own rules.
    """
    folder = PREFECT_LOCAL_STORAGE_PATH.value()
    return prune(Path(folder), now - KEPT, AT_ONCE) if folder else 0


def prune(folder: Path, before: datetime, most: int) -> int:
    """Remove at most so many files that were last written before then."""
    removed = 0
    if not folder.is_dir():
        return 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if removed >= most:
                break
            # another worker may prune the same folder
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file() and entry.stat().st_mtime < before.timestamp():
                    Path(entry.path).unlink()
                    removed += 1
    return removed
