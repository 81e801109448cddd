"""How a person watches a session live."""

from __future__ import annotations

import shlex

from autofix.settings import Settings


def attach_command(
    settings: Settings, *, session_id: str, directory: str, program: str = "opencode"
) -> str:
    """The command line that opens a session in a terminal while it runs.

    The password is read from ``OPENCODE_SERVER_PASSWORD`` in the watcher's environment and stands
    nowhere in it.
    """
    arguments = ["attach", settings.opencode_url, "--dir", directory, "--session", session_id]
    if settings.opencode_server_username != "opencode":
        arguments += ["--username", settings.opencode_server_username]
    return shlex.join([program, *arguments])
