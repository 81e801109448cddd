"""What services ask for outside of the project: a forward proxy that sees every call of theirs.

A service is told its proxy by ``http_proxy``, with its deployment's id as the user. Names are looked
up here, so that look-ups and flows are what was really asked and sent. Outside there is one provider
of payments, up or down; its status page tells which.
"""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.records import Deployment, Flow, Lookup, utc_now

PROVIDER_HOST = "api.paywell.test"
PROVIDER_ADDRESS = "203.0.113.40"
ANSWER_SECONDS = 0.04
INCIDENT = "Authorisations are failing"
_HTTP_PORT = 80

FindDeployment = Callable[[str], Deployment | None]
Answered = tuple[int, dict[str, Any]]


class Provider:
    """Paywell: authorises payments while it is up."""

    def __init__(self, started: datetime, *, is_up: bool) -> None:
        """`started` is when the world began; the outage is a little older."""
        self.is_up = is_up
        self.down_since = started - timedelta(minutes=2)

    def answer(self, path: str) -> Answered:
        """What its API answers."""
        time.sleep(ANSWER_SECONDS)
        if not self.is_up:
            return 503, {"error": "service unavailable"}
        return 200, {"reference": f"pw_{path.rpartition('/')[2]}"}

    def status_page(self) -> ASGIApp:
        """Its status page, in Statuspage's form, below ``/paywell``."""

        def summary(_request: Request) -> Response:
            incident = {
                "name": INCIDENT,
                "status": "investigating",
                "impact": "major",
                "created_at": self.down_since.isoformat(),
                "started_at": self.down_since.isoformat(),
                "resolved_at": None,
                "shortlink": "",
            }
            indicator = "none" if self.is_up else "major"
            return JSONResponse(
                {
                    "page": {"name": "Paywell"},
                    "status": {"indicator": indicator},
                    "components": [],
                    "incidents": [] if self.is_up else [incident],
                    "scheduled_maintenances": [],
                }
            )

        return Starlette(routes=[Route("/paywell/api/v2/summary.json", summary)])


class Egress:
    """The proxy, in threads of its own."""

    def __init__(self, find_deployment: FindDeployment, provider: Provider) -> None:
        """`find_deployment` gives the deployment with an id."""
        self._find = find_deployment
        self._provider = provider
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve."""
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="egress", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def address(self, deployment: Deployment) -> str:
        """The proxy as one deployment is told it, once it serves."""
        port = self._server.server_address[1] if self._server else 0
        return f"http://{deployment.id}:-@127.0.0.1:{port}"

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        egress = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, value = egress.call(
                    _user(self.headers.get("Proxy-Authorization")),
                    self.path,
                    self.client_address[1],
                )
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Calls are recorded with their deployment."""

        return Handler

    def call(self, deployment_id: str, url: str, source_port: int) -> Answered:
        """One call of a service: looked up, passed on, recorded."""
        deployment = self._find(deployment_id)
        host = urlsplit(url).hostname or ""
        at, started = utc_now(), time.monotonic()
        known = host == PROVIDER_HOST
        if deployment is not None:
            code = "NOERROR" if known else "NXDOMAIN"
            answers = (PROVIDER_ADDRESS,) if known else ()
            deployment.lookups.append(Lookup(at, host, code, answers))
        if not known:
            return 502, {"error": f"{host} is not known"}
        status, value = self._provider.answer(urlsplit(url).path)
        if deployment is not None:
            deployment.flows.append(
                Flow(
                    at=at,
                    ended=utc_now(),
                    address=PROVIDER_ADDRESS,
                    port=_HTTP_PORT,
                    source_port=source_port,
                    sent=len(url),
                    latency_ms=round((time.monotonic() - started) * 1000, 1),
                )
            )
        return status, value


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _user(header: str | None) -> str:
    """The user of a basic authorization; empty without one."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(token).decode().partition(":")[0]
    except ValueError:
        return ""
