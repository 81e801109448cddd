"""The forge: repositories, pull requests and pages behind one address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from sandbox.forge import contents, pulls, reviews
from sandbox.forge.pages import Pages
from sandbox.forge.rest import Call, Rest
from sandbox.forge.shapes import user
from sandbox.forge.state import BOT, OnPush, Project, create_project
from sandbox.forge.transport import Transport


class Forge:
    """A forge whose repositories lie below `root`.

    Args:
        root: folder for the bare repositories; created when absent.
        token: may write over REST, and is the password that may push.
        on_push: called in a thread with repository, branch and commit after a push or merge.

    The REST API is served at the root and, as GitHub's own servers do, below ``/api/v3``.
    """

    def __init__(self, root: Path, token: str, on_push: OnPush) -> None:
        self._root = root
        self._on_push = on_push
        self._projects: dict[str, Project] = {}
        self._rest = Rest(self._projects, token)
        rest = self._rest.routes(
            [
                ("GET", "/user", _get_user),
                ("GET", "/rate_limit", self._get_rate_limit),
                ("DELETE", "/repos/{owner}/{repo}/_sandbox", _forget),
                *reviews.ROUTES,
                *contents.ROUTES,
                *pulls.ROUTES,
            ]
        )
        pages, transport = Pages(self._projects), Transport(self._projects, token)
        api = Mount("/api/v3", routes=rest)
        routes = [api, *rest, *pages.routes(), *transport.routes()]
        self.app = Starlette(routes=routes, exception_handlers={404: _not_found})

    def create_repository(self, full_name: str, source: Path, message: str) -> str:
        """A repository with one commit on main from the folder's content; its commit hash."""
        project = create_project(self._root, full_name, source, message, self._on_push)
        self._projects[full_name] = project
        return project.repository.branches()["main"]

    def git_dir(self, full_name: str) -> Path:
        """The bare repository's folder."""
        return self._projects[full_name].repository.path

    def _get_rate_limit(self, _call: Call) -> tuple[int, Any]:
        rate = self._rest.rate()
        return 200, {"resources": {"core": rate}, "rate": rate}


def _forget(call: Call) -> tuple[int, Any]:
    """No endpoint of GitHub's: forget pull requests and branches, or what was said after a merge."""
    if call.query.get("only") == "outcomes":
        call.repo.forget_outcomes()
    else:
        call.repo.forget()
    return 204, None


def _get_user(_call: Call) -> tuple[int, Any]:
    return 200, user(BOT)


def _not_found(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"message": "Not Found", "status": "404"}, 404)
