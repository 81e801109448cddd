"""Builds httpx clients: timeouts, user agent, transport passed in."""

from __future__ import annotations

import ssl
from functools import cache
from importlib.metadata import version

import httpx

USER_AGENT = f"railway-autofix/{version('railway-autofix')}"


def build_client(
    base_url: str = "",
    *,
    headers: dict[str, str] | None = None,
    auth: httpx.BasicAuth | None = None,
    timeout: float = 30.0,
    transport: httpx.BaseTransport | None = None,
) -> httpx.Client:
    """A client that names itself, ignores proxies of the environment, and always times out.

    Args:
        base_url: prefix of every request.
        headers: sent with every request, beside the user agent.
        auth: HTTP Basic, if the other side wants it.
        timeout: seconds for each of connect, read, write and pool.
        transport: what carries requests; tests pass `httpx.MockTransport`.
    """
    return httpx.Client(
        base_url=base_url,
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        auth=auth,
        timeout=timeout,
        transport=transport,
        verify=_trusted(),
        follow_redirects=False,
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The certificates of httpx's own choice, read once in a process."""
    return httpx.create_ssl_context()
