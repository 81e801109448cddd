"""The load: ``python -m sandbox.load PORT [NAME …]`` sends steady traffic through the edge.

An open loop: a request is sent when it is due, however slow the answers are. The same seed gives
the same requests in the same order. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.blueprint import BY_NAME

SEED = 20260302
JITTER = 0.15
"""Share of the distance of two requests by which one may be early or late."""
ANSWER_SECONDS = 10.0
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Safari/605.1.15",
    "acme-mobile/3.9 (Android 16)",
)
WORDS = ("green lamp", "folding table", "round clock", "small shelf", "solid desk", "blue rug")

MakePath = Callable[[int, random.Random], str]


@dataclass(frozen=True)
class Stream:
    """Steady requests to one service."""

    rate: float
    """Requests a second."""
    path: MakePath
    """The path of the n-th request."""


STREAMS: dict[str, tuple[Stream, ...]] = {
    "catalog-api": (
        Stream(9.0, lambda _n, rng: f"/products/{rng.randint(1, 200)}"),
        Stream(0.6, lambda _n, _rng: "/products"),
    ),
    "orders-web": (
        Stream(3.0, lambda n, _rng: f"/customers/{1 + n * 13 % 200}/orders"),
        Stream(3.0, lambda n, _rng: f"/customers/{1 + n * 7 % 200}"),
    ),
    "billing-api": (
        Stream(5.0, lambda n, _rng: f"/invoices/{1 + n * 7 % 600}"),
        Stream(2.0, lambda n, _rng: f"/customers/{1 + n % 60}/balance"),
    ),
    "checkout-api": (
        Stream(1.5, lambda n, _rng: f"/checkouts/{1 + n * 3 % 200}"),
        Stream(2.0, lambda n, _rng: f"/carts/{1 + n * 7 % 200}"),
    ),
    "image-resizer": (Stream(5.0, lambda n, _rng: f"/images/{1 + n % 20}?width={16 + n % 64}"),),
    "search-api": (
        Stream(7.5, lambda n, _rng: f"/search?q={WORDS[n % len(WORDS)].replace(' ', '+')}"),
    ),
}


async def send(port: int, host: str, path: str, rng: random.Random) -> None:
    """One request; its answer is read and thrown away."""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {rng.choice(AGENTS)}\r\n"
        f"X-Forwarded-For: 203.0.113.{rng.randint(1, 254)}\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(head.encode())
                while await reader.read(1 << 18):
                    pass
            finally:
                writer.close()


async def run_stream(port: int, host: str, stream: Stream, rng: random.Random) -> None:
    """Send a stream's requests for ever, each at its time."""
    loop = asyncio.get_running_loop()
    underway: set[asyncio.Task[None]] = set()
    first, n = loop.time() + rng.random() / stream.rate, 0
    while True:
        due = first + (n + rng.uniform(-JITTER, JITTER)) / stream.rate
        await asyncio.sleep(max(0.0, due - loop.time()))
        task = asyncio.create_task(send(port, host, stream.path(n, rng), rng))
        underway.add(task)
        task.add_done_callback(underway.discard)
        n += 1


async def run(port: int, names: list[str]) -> None:
    """Send every stream of these services until standard input ends."""
    streams = [
        asyncio.create_task(
            run_stream(port, str(BY_NAME[name].domain), stream, random.Random(f"{SEED} {name} {i}"))
        )
        for name in names
        for i, stream in enumerate(STREAMS.get(name, ()))
    ]
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin
    )
    await stdin.read()
    for stream in streams:
        stream.cancel()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), sys.argv[2:] or list(STREAMS)))
