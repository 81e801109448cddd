"""A proxy that lets nothing through and remembers what was asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer


@dataclass
class Proxy:
    """Where it listens, and every address that somebody wanted from it."""

    url: str
    asked: list[str] = field(default_factory=list)

    def variables(self) -> dict[str, str]:
        """The environment of a program that goes through it to everything but this machine."""
        own = "127.0.0.1,localhost"
        return {"HTTPS_PROXY": self.url, "HTTP_PROXY": self.url, "NO_PROXY": own}


@contextmanager
def serve_proxy() -> Iterator[Proxy]:
    """The proxy, until the block is left."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            proxy.asked.append(self.rfile.readline().decode().strip())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n")

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
