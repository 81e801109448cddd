"""A task's deadline against a call that blocks, in the flow's own thread and in another."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest
from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE

from autofix.http import build_client
from tasks.guard import guarded

pytestmark = [
    pytest.mark.flow,
    pytest.mark.usefixtures("prefect_server"),
    # the other method takes the alarm that a deadline interrupts with
    pytest.mark.timeout(180, method="thread"),
]
ENDLESS = 60.0
"""Seconds that the other side keeps a caller waiting."""


@pytest.fixture
def silent() -> Iterator[str]:
    """A side that takes a request and never answers."""
    yield from _serve(lambda _, done: done.wait(ENDLESS))


@pytest.fixture
def dripping() -> Iterator[str]:
    """A side that answers a byte at a time, so that no timeout of a read is ever reached."""

    def drip(connection: socket.socket, done: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not done.wait(0.1):
            connection.sendall(b"x")

    yield from _serve(drip)


def _serve(answer: Callable[[socket.socket, threading.Event], object]) -> Iterator[str]:
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.recv(4096)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            answer(connection, done)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    done.set()
    listener.close()


@task(cache_policy=NO_CACHE, timeout_seconds=1)
@guarded
def ask(url: str, timeout: float) -> int:
    with build_client(timeout=timeout) as client:
        return client.get(url).status_code


@flow(name="asking")
def asking(url: str, timeout: float, *, mapped: bool) -> tuple[str, float]:
    begun = time.monotonic()
    if mapped:
        (found,) = ask.map([url], unmapped(timeout))
        found.wait()
        state = found.state
    else:
        state = ask(url, timeout, return_state=True)
    return f"{state.name}: {state.message}", time.monotonic() - begun


@pytest.mark.parametrize("mapped", [False, True], ids=["in the flow's thread", "mapped"])
def test_an_answer_that_never_ends_is_given_up(dripping: str, mapped: bool) -> None:
    """Byte by byte no single read takes long, but the whole has a deadline."""
    ended, seconds = asking(dripping, 30, mapped=mapped)
    assert ended == "TimedOut: Task run exceeded timeout of 1.0 second(s)"
    assert seconds < ENDLESS / 2


def test_silence_is_given_up_in_the_flows_thread(silent: str) -> None:
    """The deadline interrupts the call itself."""
    ended, seconds = asking(silent, ENDLESS, mapped=False)
    assert ended.startswith("TimedOut")
    assert seconds < ENDLESS / 2


def test_silence_is_given_up_in_another_thread_by_the_calls_own_timeout(silent: str) -> None:
    """There the deadline cannot interrupt: that is why every client has a timeout."""
    _, seconds = asking(silent, 2, mapped=True)
    assert seconds < ENDLESS / 2
    with build_client() as client:
        assert client.timeout == httpx.Timeout(30.0)
