"""Where results are kept: writable, and readable by nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from autofix.doctor.checks import Check, failed, passed


def check_storage(environment: Mapping[str, str]) -> list[Check]:
    """The folder of persisted results, as this process's Prefect would use it."""
    if environment.get("PREFECT_DEFAULT_RESULT_STORAGE_BLOCK"):
        block = environment["PREFECT_DEFAULT_RESULT_STORAGE_BLOCK"]
        return [passed("Result storage", f"block {block}; every worker needs it")]
    home = environment.get("PREFECT_HOME") or str(Path.home() / ".prefect")
    folder = Path(environment.get("PREFECT_LOCAL_STORAGE_PATH") or Path(home, "storage"))
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        todo = "make it writable, or set PREFECT_LOCAL_STORAGE_PATH to a folder that is"
        return [failed("Result storage", f"{folder} cannot be written", todo)]
    mode = stat.S_IMODE(folder.stat().st_mode) if there == folder else 0
    if mode & 0o077:
        detail = f"{folder} may be read by others (mode {mode:03o})"
        return [failed("Result storage", detail, f"chmod 700 {folder}")]
    return [passed("Result storage", f"{folder}; several workers need one that they share")]
