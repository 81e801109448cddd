"""The edge: one HTTP port for all services, which logs every request."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sandbox.records import Deployment, Request, utc_now

UPSTREAM_SECONDS = 3.5
MAX_BODY = 1 << 20

FindDeployment = Callable[[str], Deployment | None]

NOT_RESPONDING = "Application failed to respond"


@dataclass(frozen=True)
class Head:
    """The first lines of a request."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def host(self) -> str:
        """The host that is asked, without its port."""
        return self.headers.get("host", "").partition(":")[0]

    def render(self, request_id: str) -> bytes:
        """As it goes to the application."""
        kept = {k: v for k, v in self.headers.items() if k not in {"connection", "keep-alive"}}
        kept |= {"connection": "close", "x-request-id": request_id}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in kept.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True)
class Answer:
    """What goes back to the client, and what the log says about it."""

    status: int
    payload: bytes
    upstream_ms: int = 0
    details: str = ""
    errors: str = ""


def parse_head(raw: bytes) -> Head:
    """The head of a request; ValueError when it is none."""
    first, *lines = raw.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    return Head(method, path, {name.strip().lower(): value.strip() for name, _, value in pairs})


class Edge:
    """A reverse proxy in a thread of its own."""

    def __init__(self, find_deployment: FindDeployment) -> None:
        """`find_deployment` gives the serving deployment of a host name."""
        self.port = 0
        self._find = find_deployment
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._started = threading.Event()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="edge", daemon=True)

    def start(self) -> None:
        """Listen; `port` is known afterwards."""
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        """Stop listening and drop what is open."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ending.wait()
        server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._exchange(reader, writer)
        except (ConnectionError, EOFError, asyncio.LimitOverrunError, ValueError):
            return  # the client has gone, or does not speak HTTP
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await reader.readuntil(b"\r\n\r\n")
        at, started = utc_now(), time.monotonic()
        head = parse_head(raw[:-4])
        length = min(MAX_BODY, int(head.headers.get("content-length", "0")))
        body = await reader.readexactly(length) if length else b""
        deployment = self._find(head.host)
        if deployment is None:
            writer.write(_plain(404, "Application not found"))
            await writer.drain()
            return
        request_id = uuid4().hex[:22]
        answer = await _ask(deployment, head.render(request_id) + body)
        total_ms = round((time.monotonic() - started) * 1000)
        received = len(raw) + len(body)
        deployment.received += received
        deployment.sent += len(answer.payload)
        # Logged before it is sent: who has an answer finds its request.
        deployment.requests.append(
            _record(deployment, head, answer, at, request_id, total_ms, received)
        )
        writer.write(answer.payload)
        await writer.drain()


def _record(
    deployment: Deployment,
    head: Head,
    answer: Answer,
    at: datetime,
    request_id: str,
    total_ms: int,
    received: int,
) -> Request:
    return Request(
        at=at,
        id=request_id,
        method=head.method,
        path=head.path,
        host=head.host,
        status=answer.status,
        total_ms=total_ms,
        upstream_ms=answer.upstream_ms,
        details=answer.details,
        upstream_errors=answer.errors,
        upstream_address=f"http://127.0.0.1:{deployment.port}",
        source_ip=head.headers.get("x-forwarded-for", "127.0.0.1"),
        user_agent=head.headers.get("user-agent", ""),
        received=received,
        sent=len(answer.payload),
        instance_id=deployment.instance_id,
    )


async def _ask(deployment: Deployment, request: bytes) -> Answer:
    started = time.monotonic()

    def failed(status: int, error: str) -> Answer:
        took = round((time.monotonic() - started) * 1000)
        errors = json.dumps([{"deploymentInstanceID": deployment.instance_id, "error": error}])
        return Answer(status, _plain(status, NOT_RESPONDING), took, NOT_RESPONDING, errors)

    try:
        async with asyncio.timeout(UPSTREAM_SECONDS):
            payload = await _fetch(deployment.port, request)
        status = int(payload[9:12])
    except TimeoutError:
        return failed(504, "upstream response timeout")
    except ConnectionRefusedError:
        return failed(502, "connection refused")
    except (OSError, ValueError):
        return failed(502, "connection reset before a response")
    return Answer(status, payload, round((time.monotonic() - started) * 1000))


async def _fetch(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read(-1)
    finally:
        writer.close()


_REASONS = {404: "Not Found", 502: "Bad Gateway", 504: "Gateway Timeout"}


def _plain(status: int, text: str) -> bytes:
    body = json.dumps({"status": "error", "code": status, "message": text}).encode()
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
