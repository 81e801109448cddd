"""Faults on request: a middleware that makes any server of the sandbox misbehave.

``POST /_sandbox/faults`` arms one, ``DELETE /_sandbox/faults`` clears them all,
``GET /_sandbox/requests`` counts what was asked so far (``DELETE`` starts again from zero).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATUS_MESSAGES = {
    "401": "Bad credentials",
    "403": "Resource not accessible by personal access token",
    "404": "Not Found",
    "422": "Validation Failed",
    "429": "Too Many Requests",
    "500": "Internal Server Error",
    "503": "Service Unavailable",
}
MODES = frozenset({*STATUS_MESSAGES, "429-text", "graphql-error", "html", "hang", "cut"})

EDGE_PAGE = """<!doctype html><html><head><title>502 Bad Gateway</title></head>
<body><h1>Bad Gateway</h1><p>The edge could not reach the application.</p></body></html>"""


@dataclass
class Fault:
    """One armed fault: what to do, how often still, and to which paths."""

    mode: str
    times: int
    path: re.Pattern[str]
    retry_after: float

    def answer(self) -> Response:
        """The answer that stands in for the real one."""
        if self.mode == "html":
            return HTMLResponse(EDGE_PAGE, status_code=502)
        if self.mode == "429-text":
            text = f"Rate limit exceeded, please try again in {self.retry_after:g} seconds"
            return _graphql_error(text, "RATE_LIMITED")
        if self.mode == "graphql-error":
            return _graphql_error("Problem processing request", "INTERNAL_SERVER_ERROR")
        headers = {"Retry-After": f"{self.retry_after:g}"} if self.mode == "429" else {}
        message = STATUS_MESSAGES[self.mode]
        body = {"message": message, "error": {"message": message, "code": self.mode}}
        return JSONResponse(body, int(self.mode), headers)


def _graphql_error(message: str, code: str) -> Response:
    error = {"message": message, "extensions": {"code": code}}
    return JSONResponse({"errors": [error], "data": None})


def parse_fault(body: Any) -> Fault:
    """The fault a request describes; ValueError says what is wrong with it."""
    if not isinstance(body, dict) or body.get("mode") not in MODES:
        raise ValueError(f"mode must be one of {', '.join(sorted(MODES))}")
    unknown = set(body) - {"mode", "times", "path", "retry_after"}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)}")
    try:
        return Fault(
            mode=body["mode"],
            times=int(body.get("times", 1)),
            path=re.compile(body.get("path") or ""),
            retry_after=float(body.get("retry_after", 1)),
        )
    except (TypeError, re.error) as error:
        raise ValueError(str(error)) from error


class Faults:
    """ASGI middleware around `app`; `name` tells its counts apart from another server's."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self.app = app
        self.name = name
        self.armed: list[Fault] = []
        self.counts: Counter[str] = Counter()
        self.callers: Counter[str] = Counter()
        """Requests by the first word of who sent them, those left out that were refused."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the sandbox's own paths, misbehave when armed, else pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith("/_sandbox/"):
            response = await self._control(Request(scope, receive))
            await response(scope, receive, send)
            return
        self.counts[f"{scope['method']} {path}"] += 1
        fault = self._take(path)
        if fault is None or fault.mode in {"hang", "cut"}:
            self.callers[_caller(scope)] += 1
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.mode == "hang":
            await _wait_for_disconnect(receive)
        elif fault.mode == "cut":
            await self._cut(scope, receive, send)
        else:
            await Request(scope, receive).body()
            await fault.answer()(scope, receive, send)

    async def _control(self, request: Request) -> Response:
        match (request.method, request.url.path):
            case ("POST", "/_sandbox/faults"):
                try:
                    self.armed.append(parse_fault(json.loads(await request.body())))
                except ValueError as error:
                    return JSONResponse({"message": str(error)}, 422)
                return Response(status_code=204)
            case ("DELETE", "/_sandbox/faults"):
                self.armed.clear()
                return Response(status_code=204)
            case ("GET", "/_sandbox/requests"):
                counts = {"requests": dict(self.counts), "callers": dict(self.callers)}
                return JSONResponse({"name": self.name, **counts})
            case ("DELETE", "/_sandbox/requests"):
                self.counts.clear()
                self.callers.clear()
                return Response(status_code=204)
            case _:
                return JSONResponse({"message": "Not Found"}, 404)

    def _take(self, path: str) -> Fault | None:
        for fault in self.armed:
            if fault.path.search(path):
                fault.times -= 1
                if fault.times <= 0:
                    self.armed.remove(fault)
                return fault
        return None

    async def _cut(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request take effect, then send half of its answer and end the connection."""
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, keep)
        body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        start = next(m for m in sent if m["type"] == "http.response.start")
        # The announced length is what makes the missing half an error on the other side.
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body) + 1)
        await send(start)
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )


def _caller(scope: Scope) -> str:
    agent = Headers(scope=scope).get("user-agent", "")
    return agent.partition("/")[0].partition(" ")[0]


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
