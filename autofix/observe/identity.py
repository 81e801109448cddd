"""Whose token it is: asked once, after a refusal, so that the message can say what to set right.

Railway answers a dead token and one without access alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autofix.errors import RailwayError
from autofix.observe.answers import DEAD
from autofix.settings import Settings

Ask = Callable[[str], dict[str, Any]]
"""Asks one query file without variables."""


def explain_refusal(error: RailwayError, settings: Settings, ask: Ask) -> RailwayError:
    """The error that a person can act on."""
    reason = str(error).removeprefix(f"{error.service}: ").removesuffix(f": {DEAD}")
    if settings.railway_token is not None:
        return RailwayError(f"{reason}: {_project_token(settings, ask)}")
    return RailwayError(f"{reason}: {_account_token(settings, ask)}")


def _project_token(settings: Settings, ask: Ask) -> str:
    try:
        found = ask("project_token").get("projectToken") or {}
    except RailwayError:
        return f"RAILWAY_TOKEN, a project token: {DEAD}"
    wrong = [
        f"{name} is {mine}, not the token's {found[key]}"
        for name, mine, key in (
            ("RAILWAY_PROJECT_ID", settings.railway_project_id, "projectId"),
            ("RAILWAY_ENVIRONMENT_ID", settings.railway_environment_id, "environmentId"),
        )
        if found.get(key) and found[key] != mine
    ]
    if wrong:
        return f"the project token in RAILWAY_TOKEN is alive, but {' and '.join(wrong)}"
    return "the project token in RAILWAY_TOKEN is alive and of this environment, yet has no access"


def _account_token(settings: Settings, ask: Ask) -> str:
    try:
        ask("account/me")
    except RailwayError:
        return f"RAILWAY_API_TOKEN: {DEAD} (a workspace token cannot be told from a dead one)"
    return (
        "the account token in RAILWAY_API_TOKEN is alive, but cannot see project "
        f"{settings.railway_project_id} with environment {settings.railway_environment_id}: "
        "one of the two does not exist, or belongs to somebody else"
    )
