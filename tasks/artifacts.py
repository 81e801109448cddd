"""Artifacts: what a run leaves for people, redacted on the way."""

from __future__ import annotations

import re
from typing import cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact

from autofix.plan.drawing import draw_charts
from tasks.guard import open_door


def post_markdown(key: str, text: str, description: str) -> UUID:
    """A markdown artifact; a later one with the same key is its next version.

    Charts are drawn behind the door, which would take a picture's letters for a secret.
    """
    redact = open_door()
    made = create_markdown_artifact(
        draw_charts(redact(text)), key=artifact_key(key), description=redact(description)
    )
    return cast("UUID", made)  # typed as possibly awaitable; it is not in synchronous code


def artifact_key(text: str) -> str:
    """Lower-case letters, digits and dashes, as Prefect wants keys."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
