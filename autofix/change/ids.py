"""Deterministic names: whoever runs the same fix again finds what the first run made.

OpenCode takes any id with the right prefix and runs a message id once; ids are unique on the whole
server, so each one is derived from the fix id and a purpose.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

BRANCH_PREFIX = "autofix/"
_SLUG = re.compile(r"[^a-z0-9]+")


def fix_id(work_ids: Iterable[str]) -> str:
    """Short hash of the work ids that one change for one repository covers; order is nothing."""
    ordered = sorted(set(work_ids))
    if not ordered:
        raise ValueError("a fix covers at least one work id")
    return _hash(*ordered)[:12]


def branch_name(repository: str, fix_id: str) -> str:
    """``autofix/<repository slug>-<fix id>``, the branch a fix is published on."""
    slug = _SLUG.sub("-", repository.lower()).strip("-")[:60].rstrip("-")
    return f"{BRANCH_PREFIX}{slug}-{fix_id}"


def session_id(fix_id: str, purpose: str = "fix") -> str:
    """Id of the OpenCode session with this purpose: ``fix``, or ``utility`` for the shell."""
    return f"ses_{_hash('session', fix_id, purpose)[:26]}"


def message_id(fix_id: str, purpose: str) -> str:
    """Id of the prompt with this purpose: ``fix``, ``gate-retry``."""
    return f"msg_{_hash('message', fix_id, purpose)[:26]}"


def part_id(fix_id: str, purpose: str) -> str:
    """Id of that prompt's only text part."""
    return f"prt_{_hash('part', fix_id, purpose)[:26]}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
