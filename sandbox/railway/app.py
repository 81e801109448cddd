"""The platform's API as an ASGI app: POST /graphql/v2, tokens, errors and limits as Railway's."""

from __future__ import annotations

import hmac
import json
import logging
import time
from typing import Any
from uuid import uuid4

from ariadne import graphql_sync
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.railway.filters import FilterError
from sandbox.railway.resolvers import Refused, build_schema
from sandbox.world import World

REQUESTS_AN_HOUR = 10_000

logging.getLogger("ariadne").addHandler(logging.NullHandler())
logging.getLogger("ariadne").propagate = False


class RateLimit:
    """Counts requests by the hour."""

    def __init__(self, limit: int = REQUESTS_AN_HOUR) -> None:
        self.limit = limit
        self._used = 0
        self._reset = time.time() + 3600

    def take(self) -> dict[str, str]:
        """Count one request; the headers that tell about it, with Retry-After when refused."""
        now = time.time()
        if now >= self._reset:
            self._used, self._reset = 0, now + 3600
        self._used += 1
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self._used)),
            "X-RateLimit-Reset": str(int(self._reset)),
        }
        if self._used > self.limit:
            headers["Retry-After"] = str(max(1, int(self._reset - now)))
        return headers


def build_app(world: World, token: str, limit: int = REQUESTS_AN_HOUR) -> ASGIApp:
    """The API over this world; `token` is a project token and a bearer token alike."""
    schema = build_schema(world)
    rate = RateLimit(limit)

    async def post(request: Request) -> Response:
        headers = rate.take()
        if "Retry-After" in headers:
            return _failed("Rate limit exceeded", "RATE_LIMITED", 429, headers)
        try:
            asked = json.loads(await request.body())
        except ValueError:
            return _failed("POST body is not JSON", "BAD_REQUEST", 400, headers)
        if not _is_authorized(request, token):
            return _failed("Not Authorized", "INTERNAL_SERVER_ERROR", 200, headers)
        _, result = await run_in_threadpool(
            graphql_sync, schema, asked, error_formatter=render_error
        )
        # What fails while it is answered has a status of 200, what cannot be asked has not.
        return JSONResponse(result, 200 if "data" in result else 400, headers)

    return Starlette(routes=[Route("/graphql/v2", post, methods=["POST"])])


def render_error(error: GraphQLError, _debug: bool = False) -> dict[str, Any]:
    """An error as Railway renders it: a code below extensions, the trace id beside the message."""
    original = error.original_error
    rendered: dict[str, Any] = dict(error.formatted)
    code = "INTERNAL_SERVER_ERROR" if error.path else "GRAPHQL_VALIDATION_FAILED"
    if original is not None and not isinstance(original, Refused | GraphQLError):
        known = isinstance(original, FilterError | ValueError)
        rendered["message"] = "Problem processing request" if known else "Internal server error"
    rendered["extensions"] = {"code": code}
    return rendered | {"traceId": str(uuid4())}


def _is_authorized(request: Request, token: str) -> bool:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    given = request.headers.get("project-access-token") or bearer
    return hmac.compare_digest(given.encode(), token.encode())


def _failed(message: str, code: str, status: int, headers: dict[str, str]) -> Response:
    error = {"message": message, "extensions": {"code": code}, "traceId": str(uuid4())}
    return JSONResponse({"errors": [error], "data": None}, status, headers)
