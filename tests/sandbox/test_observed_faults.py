"""Servers that really misbehave: raw sockets, and the sandbox's API with armed faults."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from ariadne import graphql_sync
from graphql import GraphQLObjectType
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from autofix.errors import ConfigError, RailwayError
from autofix.models import Window
from autofix.observe.limits import ApiLimits
from autofix.observe.observation import Observation, observe
from autofix.observe.railway import RailwayClient
from autofix.parameters import ServiceSelection
from sandbox.blueprint import ENVIRONMENT_ID, PROJECT_ID
from sandbox.faults import Faults
from sandbox.railway.app import build_app, render_error
from sandbox.railway.resolvers import build_schema
from sandbox.world import World
from tests.sandbox.serving import serve
from tests.sandbox.test_railway_api import T0, TOKEN, world
from tests.unit.observe.railway_app import make_settings

__all__ = ["world"]
STEP = timedelta(seconds=10)
SPAN = Window(start=T0, end=T0 + timedelta(seconds=70))
ROOT = Path(__file__).parents[2]
SECRET = "secret-railway-token"


def client(url: str, **options: Any) -> RailwayClient:
    settings = options.pop("settings", {})
    limits = ApiLimits(requests_per_second=1e6, **options.pop("limits", {}))
    defaults = {
        "railway_api_url": url,
        "railway_token": TOKEN,
        "railway_project_id": PROJECT_ID,
        "railway_environment_id": ENVIRONMENT_ID,
    }
    options = {"wait": 0.001, "timeout": 3.0, "attempts": 2, "limits": limits} | options
    return RailwayClient(make_settings(**(defaults | settings)), **options)


def look(url: str, **options: Any) -> Observation:
    with client(url, **options) as railway:
        return observe(railway, SPAN, STEP, ServiceSelection())


# ------------------------------------------------------------------ the sandbox's real API


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[str]:
    with serve(Faults(build_app(world, TOKEN), "railway")) as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    httpx.delete(f"{server}/_sandbox/faults")
    return f"{server}/graphql/v2"


def arm(url: str, mode: str, times: int = 1, **fields: Any) -> None:
    address = url.removesuffix("/graphql/v2")
    fault = {"mode": mode, "times": times, "retry_after": 0, **fields}
    assert httpx.post(f"{address}/_sandbox/faults", json=fault).status_code == 204


def values(observation: Observation, measurement: str) -> list[float]:
    chosen = observation.samples[observation.samples["measurement"] == measurement]
    return [float(v) for v in chosen["value"]]


def test_the_real_api_is_read(url: str) -> None:
    """Metrics, HTTP, error lines and runs of a cron, each by its own measurement."""
    observation = look(url)
    assert [s.name for s in observation.selected] == ["nightly-report", "orders-db", "orders-web"]
    assert sum(values(observation, "HTTP_5XX")) == 2
    assert sum(values(observation, "LOG_ERRORS")) == 2
    assert sum(values(observation, "CRON_RUNS")) == 2
    assert sum(values(observation, "CRON_FAILED")) == 1
    assert observation.notes == ()
    assert observation.sampled == {}


@pytest.mark.parametrize("mode", ["429", "429-text", "graphql-error", "500", "503", "html", "cut"])
def test_what_passes_by_itself_changes_nothing(url: str, mode: str) -> None:
    """One fault of each kind, and the same samples as without."""
    expected = look(url)
    arm(url, mode)
    assert look(url).samples.equals(expected.samples)


def test_a_hang_ends_by_our_deadline(url: str) -> None:
    """The first request hangs until we give up on it; the second is answered."""
    arm(url, "hang")
    begun = time.monotonic()
    look(url)
    assert 0.5 <= time.monotonic() - begun < 10


def test_retry_after_is_waited_for(url: str) -> None:
    """A second asked for is a second waited."""
    arm(url, "429", retry_after=1)
    begun = time.monotonic()
    look(url)
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize("mode", ["401", "403", "404", "422"])
def test_a_refusal_is_one_line_and_not_tried_again(url: str, mode: str) -> None:
    """What will not pass is raised at once, without any secret."""
    arm(url, mode)
    with pytest.raises(RailwayError) as caught:
        look(url)
    assert not caught.value.retryable
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_project_token_of_another_project_is_told_from_a_dead_one(url: str) -> None:
    """The token is asked whose it is, and the setting that is wrong is named with its value."""
    with pytest.raises(RailwayError, match="the project token in RAILWAY_TOKEN is alive") as caught:
        look(url, settings={"railway_project_id": "p-wrong"})
    assert f"RAILWAY_PROJECT_ID is p-wrong, not the token's {PROJECT_ID}" in str(caught.value)
    assert "RAILWAY_ENVIRONMENT_ID" not in str(caught.value)
    with pytest.raises(RailwayError, match="RAILWAY_ENVIRONMENT_ID is e-wrong"):
        look(url, settings={"railway_environment_id": "e-wrong"})
    with pytest.raises(RailwayError, match="a project token: the token is dead or has no access"):
        look(url, settings={"railway_token": SECRET})


def test_a_schema_without_http_metrics_gives_the_same_counts(world: World, url: str) -> None:
    """The sandbox's own schema with the newer fields taken out."""
    schema = build_schema(world)
    queries, instance = schema.query_type, schema.type_map["ServiceInstance"]
    assert queries
    assert isinstance(instance, GraphQLObjectType)
    del queries.fields["httpMetricsGroupedByStatus"], queries.fields["httpDurationMetrics"]
    del instance.fields["activeDeployments"]

    async def post(request: Request) -> JSONResponse:
        asked = await request.json()
        _, answer = await run_in_threadpool(
            graphql_sync, schema, asked, error_formatter=render_error
        )
        return JSONResponse(answer, 200 if "data" in answer else 400)

    newer = look(url)
    with serve(Starlette(routes=[Route("/graphql/v2", post, methods=["POST"])])) as address:
        older = look(f"{address}/graphql/v2")
    for measurement in ("HTTP_2XX", "HTTP_5XX", "HTTP_P95_MS"):
        assert values(older, measurement) == values(newer, measurement)


def test_one_service_that_fails_is_unknown_and_the_others_are_read(world: World) -> None:
    """The API nulls all data for one alias; only that service is lost."""
    names = {s.name: s.id for s in world.specs}
    app = build_app(world, TOKEN)

    async def spoil(scope: Any, receive: Any, send: Any) -> None:
        """Ask for a service that does not exist in the place of one that does."""

        async def changed() -> Any:
            message = await receive()
            if b"httpDuration" in message.get("body", b""):
                body = message["body"].replace(names["orders-web"].encode(), b"x" * 36)
                message = message | {"body": body}
            return message

        await app(scope, changed, send)

    with serve(spoil) as address, client(f"{address}/graphql/v2") as railway:
        reading = railway.fetch_http([*names.values()][:3], SPAN, STEP)
    assert list(reading.failed) == [names["orders-web"]]
    assert len(reading.services) == 2


def test_an_hour_that_is_used_up_ends_the_look_at_once(world: World) -> None:
    """The API says when it resets; nobody waits an hour, and nobody goes on asking."""
    app = Faults(build_app(world, TOKEN, limit=1), "railway")
    begun = time.monotonic()
    with (
        serve(app) as address,
        pytest.raises(RailwayError, match="only 0 of 3 services could be read") as caught,
    ):
        look(f"{address}/graphql/v2")
    assert caught.value.retryable
    assert time.monotonic() - begun < 10
    assert sum(app.counts.values()) <= 1 + ApiLimits().workers


# ------------------------------------------------------------------ raw sockets


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that gives each connection to `answer` and ends with the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                try:
                    connection.recv(1_000_000)
                    answer(connection)
                except OSError:
                    pass  # the client gave up first

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql/v2"
    finally:
        done.set()
        thread.join()
        listener.close()


def test_a_dead_host_is_one_line() -> None:
    """Nobody listens there; it may pass, so it is retryable."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/graphql/v2"
    with pytest.raises(RailwayError, match="connection failed") as caught:
        look(url)
    assert caught.value.retryable
    assert "\n" not in str(caught.value)


def test_by_hand_a_dead_host_is_one_line_on_stderr() -> None:
    """Retries are not told to a person's terminal."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/graphql/v2"
    settings = {
        "RAILWAY_API_URL": url,
        "RAILWAY_TOKEN": SECRET,
        "RAILWAY_PROJECT_ID": "p",
        "RAILWAY_ENVIRONMENT_ID": "e",
    }
    done = subprocess.run(
        [sys.executable, "-m", "autofix.cli", "check"],
        env=os.environ | settings | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("autofix: Railway: connection failed")
    assert done.stderr.count("\n") == 1


def test_a_host_that_never_answers_is_given_up() -> None:
    """Connected, and silent."""
    with raw_server(lambda connection: time.sleep(0.4)) as url:
        begun = time.monotonic()
        with pytest.raises(RailwayError, match="no answer in time"):
            look(url, timeout=0.2, attempts=1)
    assert time.monotonic() - begun < 5


def test_a_drip_without_an_end_is_given_up() -> None:
    """Each byte comes in time, the answer never does."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    with raw_server(drip) as url, pytest.raises(RailwayError, match="no whole answer in time"):
        look(url, deadline=0.3, attempts=1)


def test_an_endless_answer_is_refused() -> None:
    """Memory stays bounded whatever is sent."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 100_000)

    with raw_server(flood) as url, pytest.raises(RailwayError, match="more than 1,000,000 bytes"):
        look(url, limits={"answer_bytes": 1_000_000})


@pytest.mark.parametrize("address", ["nonsense", "ftp://x/y", "https://", "http://[::1", ""])
def test_an_address_that_is_none_is_a_setting_to_set_right(address: str) -> None:
    """Said before any request, and not tried three times."""
    with pytest.raises(ConfigError, match="RAILWAY_API_URL"):
        client(address)
