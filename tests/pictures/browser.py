"""A headless Chromium that the machine has, over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from sandbox.demo.processes import Processes, free_port

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WIDTH = 1300
_SETTLE_SECONDS = 6
"""How long a page has to load what it shows."""
_TRIES = 20


class NoBrowser(Exception):
    """None of the browsers is on this machine."""


def find_browser() -> str:
    """The first browser on the path.

    Raises:
        NoBrowser: with what to install.
    """
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise NoBrowser(f"none of {', '.join(BROWSERS)} is on PATH: install one, for example chromium")


class Browser:
    """One page of it."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._n = 0

    def take(self, url: str, to: Path, *, height: int, clicks: tuple[str, ...] = ()) -> None:
        """Open the page, press what carries these words one after the other, and write a PNG."""
        size = {"width": _WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        self._ask("Page.navigate", url=url)
        time.sleep(_SETTLE_SECONDS)
        for words in clicks:
            self._press(words, url)
            time.sleep(2)
        to.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def _press(self, words: str, url: str) -> None:
        for _ in range(_TRIES):
            pressed = self._ask("Runtime.evaluate", expression=_PRESS % json.dumps(words))
            if pressed["result"].get("value"):
                return
            time.sleep(1)
        raise LookupError(f"nothing on {url} carries {words!r}")

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._n += 1
        self._connection.send(json.dumps({"id": self._n, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=60))
            if answer.get("id") == self._n:
                return answer["result"]


_PRESS = """(() => {
  const words = %s;
  const found = [...document.body.querySelectorAll("*")].findLast(
    (e) => [e.textContent.trim(), e.getAttribute("aria-label")].includes(words));
  if (!found) return false;
  for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"])
    found.dispatchEvent(new PointerEvent(type, { bubbles: true, button: 0, pointerType: "mouse" }));
  return true;
})()"""
"""Menus open on the pointer, buttons on the click."""


@contextmanager
def browser(processes: Processes, home: Path) -> Iterator[Browser]:
    """A browser with an empty profile; it ends with the processes.

    Raises:
        NoBrowser: there is none.
    """
    port = free_port()
    command = [
        find_browser(),
        "--headless=new",
        "--no-sandbox",  # root in a container may not use it; the pages are our own
        "--disable-background-networking",
        f"--user-data-dir={home / 'browser'}",
        f"--remote-debugging-port={port}",
        "about:blank",
    ]
    processes.start("browser", command, {"HOME": str(home), "PATH": "/usr/bin:/bin"}, home)
    pages: list[dict[str, Any]] = []

    def listens() -> bool:
        try:
            pages[:] = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
        except httpx.HTTPError:
            return False
        return any(page["type"] == "page" for page in pages)

    processes.wait_until("browser", listens, 60)
    address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    with connect(address, max_size=None, proxy=None) as connection:
        yield Browser(connection)
