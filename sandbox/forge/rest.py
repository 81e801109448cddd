"""The REST side of the forge: authorization, paging, errors and rate headers as GitHub has them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.forge.state import Project, Refused

RATE_LIMIT = 5_000
Item = TypeVar("Item")


@dataclass
class Call:
    """One REST request: what an endpoint needs to know of it."""

    project: Project | None
    params: Mapping[str, Any]
    query: Mapping[str, str]
    body: dict[str, Any]
    accept: str
    address: str
    """The address that was asked, without its query."""
    url: str
    """The forge's own address, for links in answers."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers for the answer."""

    @property
    def repo(self) -> Project:
        """The repository in the path; Refused with 404 when there is none."""
        if self.project is None:
            raise Refused(404, "Not Found")
        return self.project

    def text(self, name: str) -> str | None:
        """A string of the body; Refused with 422 when it is something else."""
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(422, f"Invalid request. {name} is not a string.")
        return value

    def number(self, name: str, default: int, most: int) -> int:
        """A positive number of the query; anything else counts as the default, as at GitHub."""
        value = self.query.get(name, "")
        return min(int(value), most) if value.isdigit() and int(value) else default

    def page(self, items: list[Item]) -> list[Item]:
        """The page that was asked for; sets the Link header."""
        size, page = self.number("per_page", 30, 100), self.number("page", 1, 10**9)
        last = max(1, -(-len(items) // size))
        links: dict[str, int] = {}
        if page < last:
            links |= {"next": page + 1, "last": last}
        if page > 1:
            links |= {"prev": page - 1, "first": 1}
        if links:
            parts = (f'<{self._address_of(n)}>; rel="{rel}"' for rel, n in links.items())
            self.headers["Link"] = ", ".join(parts)
        return items[(page - 1) * size : page * size]

    def _address_of(self, page: int) -> str:
        return f"{self.address}?{urlencode({**self.query, 'page': page})}"


Endpoint = Callable[[Call], Response | tuple[int, Any]]
Routes = list[tuple[str, str, Endpoint]]


class Rest:
    """Serves endpoints: finds the project, checks the token, counts the rate, maps refusals.

    Args:
        projects: by full name; shared with the forge, which adds to it.
        token: what may write; reading repositories is open, as on GitHub for public ones.
    """

    def __init__(self, projects: Mapping[str, Project], token: str) -> None:
        self._projects = projects
        self._token = token
        self._used = 0
        self._reset = 0

    def routes(self, table: Routes) -> list[Route]:
        """Starlette routes for endpoints."""
        return [
            Route(path, self._serve(method, endpoint), methods=[method])
            for method, path, endpoint in table
        ]

    def rate(self) -> dict[str, int]:
        """The state of the rate limit."""
        remaining = max(0, RATE_LIMIT - self._used)
        return {
            "limit": RATE_LIMIT,
            "remaining": remaining,
            "used": self._used,
            "reset": self._reset,
        }

    def _serve(self, method: str, endpoint: Endpoint) -> Callable[[Request], Any]:
        async def serve(request: Request) -> Response:
            raw = await request.body()
            return await run_in_threadpool(self._answer, method, endpoint, request, raw)

        return serve

    def _answer(self, method: str, endpoint: Endpoint, request: Request, raw: bytes) -> Response:
        self._count()
        try:
            self._authorize(request, method)
            call = self._call(request, raw)
            answer = endpoint(call)
            response = answer if isinstance(answer, Response) else _respond(*answer)
            response.headers.update(call.headers)
        except Refused as refused:
            response = JSONResponse(_error(refused), refused.status)
        rate = self.rate()
        for name, value in rate.items():
            response.headers[f"X-RateLimit-{name.title()}"] = str(value)
        response.headers["X-RateLimit-Resource"] = "core"
        return response

    def _count(self) -> None:
        now = int(time.time())
        if now >= self._reset:
            self._used, self._reset = 0, now + 3600
        self._used += 1

    def _authorize(self, request: Request, method: str) -> None:
        header = request.headers.get("authorization")
        if header is None:
            if method != "GET" or request.url.path.endswith("/user"):
                raise Refused(401, "Requires authentication")
            return
        scheme, _, token = header.partition(" ")
        if scheme.lower() not in ("bearer", "token") or token != self._token:
            raise Refused(401, "Bad credentials")

    def _call(self, request: Request, raw: bytes) -> Call:
        params = request.path_params
        name = f"{params.get('owner')}/{params.get('repo')}"
        url = request.url
        return Call(
            project=self._projects.get(name),
            params=params,
            query=dict(request.query_params),
            body=_parse_body(raw),
            accept=request.headers.get("accept", ""),
            address=f"{url.scheme}://{url.netloc}{url.path}",
            url=f"{url.scheme}://{url.netloc}",
        )


def _parse_body(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Refused(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise Refused(400, "Body should be a JSON object")
    return body


def _respond(status: int, content: Any) -> Response:
    return Response(status_code=204) if status == 204 else JSONResponse(content, status)


def _error(refused: Refused) -> dict[str, Any]:
    body: dict[str, Any] = {"message": refused.message}
    if refused.errors:
        body["errors"] = list(refused.errors)
    return {
        **body,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(refused.status),
    }
