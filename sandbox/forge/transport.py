"""Git's smart HTTP: clone and fetch for everybody, push for who has the token."""

from __future__ import annotations

import base64
import binascii
import gzip
import subprocess
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.forge.git import git_environment
from sandbox.forge.state import Project

SERVICES = ("git-upload-pack", "git-receive-pack")


class Transport:
    """Serves the projects' repositories; `token` is the password that may push."""

    def __init__(self, projects: Mapping[str, Project], token: str) -> None:
        self._projects = projects
        self._token = token

    def routes(self) -> list[Route]:
        """The three addresses of the protocol."""
        base = "/{owner}/{repo}"
        return [
            Route(f"{base}/info/refs", self.advertise, methods=["GET"]),
            Route(f"{base}/{{service}}", self.exchange, methods=["POST"]),
        ]

    async def advertise(self, request: Request) -> Response:
        """Which references there are."""
        service = request.query_params.get("service", "")
        project = self._project(request)
        if project is None or service not in SERVICES:
            return PlainTextResponse("Repository not found.", 404)
        refused = self._refuse(request, service)
        if refused is not None:
            return refused
        protocol = request.headers.get("git-protocol", "")
        out = await run_in_threadpool(_run, project, service, protocol, b"", "--advertise-refs")
        if not (service == "git-upload-pack" and "version=2" in protocol):
            line = f"# service={service}\n"
            out = f"{len(line) + 4:04x}{line}0000".encode() + out
        return _respond(service, "advertisement", out)

    async def exchange(self, request: Request) -> Response:
        """Send or take a pack."""
        service = request.path_params["service"]
        project = self._project(request)
        if project is None or service not in SERVICES:
            return PlainTextResponse("Not Found", 404)
        refused = self._refuse(request, service)
        if refused is not None:
            return refused
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        protocol = request.headers.get("git-protocol", "")
        out = await run_in_threadpool(_exchange, project, service, protocol, body)
        return _respond(service, "result", out)

    def _project(self, request: Request) -> Project | None:
        name = request.path_params["repo"].removesuffix(".git")
        return self._projects.get(f"{request.path_params['owner']}/{name}")

    def _refuse(self, request: Request, service: str) -> Response | None:
        """An answer when this may not go on: a wrong password always, none for a push."""
        header = request.headers.get("authorization")
        if header is None and service == "git-upload-pack":
            return None
        if header is not None and _password(header) == self._token:
            return None
        challenge = {"WWW-Authenticate": 'Basic realm="Git"'}
        return PlainTextResponse("Invalid username or token.", 401, challenge)


def _password(header: str) -> str | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None


def _exchange(project: Project, service: str, protocol: str, body: bytes) -> bytes:
    if service == "git-upload-pack":
        return _run(project, service, protocol, body)
    with project.lock:
        before = project.repository.branches()
        out = _run(project, service, protocol, body)
        project.after_push(before)
    return out


def _run(project: Project, service: str, protocol: str, body: bytes, *options: str) -> bytes:
    """One stateless turn of the real git; what it refuses stands in its answer."""
    command = ["git", service.removeprefix("git-"), "--stateless-rpc", *options]
    done = subprocess.run(
        [*command, str(project.repository.path)],
        input=body,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**git_environment(), "GIT_PROTOCOL": protocol},
        check=False,
    )
    return done.stdout


def _respond(service: str, kind: str, body: bytes) -> Response:
    headers = {"Cache-Control": "no-cache"}
    return Response(body, media_type=f"application/x-{service}-{kind}", headers=headers)
