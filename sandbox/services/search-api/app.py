"""Finds products by words; each search may spend the same CPU time."""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

# What a search may spend, in seconds of CPU time: plan the service's CPU limit by it.
SEARCH_SECONDS = float(os.environ.get("SEARCH_SECONDS", "0.012"))
BEST = 5
ADJECTIVES = ("small", "large", "green", "blue", "light", "solid", "round", "folding")
NOUNS = ("lamp", "desk", "chair", "shelf", "bulb", "rug", "frame", "table", "box", "clock")
PRODUCTS = tuple(
    f"{adjective} {noun} {number}"
    for number in range(1, 26)
    for adjective in ADJECTIVES
    for noun in NOUNS
)


def score(words, name):
    """How well a name fits the words: shared letter pairs, whole words count more."""
    fit = 0
    for word in words:
        fit += 10 * (word in name.split())
        fit += sum(word[at : at + 2] in name for at in range(len(word) - 1))
    return fit


def search(text, until=None):
    """The names that fit best, and how many were ranked before the CPU time ran out."""
    until = time.thread_time() + SEARCH_SECONDS if until is None else until
    words = text.lower().split()
    found, ranked = {}, 0
    while time.thread_time() < until:
        name = PRODUCTS[ranked * 7 % len(PRODUCTS)]
        found[name] = score(words, name)
        ranked += 1
    return sorted(found, key=lambda name: (-found[name], name))[:BEST], ranked


class Budget:
    """CPU time for each search, less when several want it at once."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.lock = threading.Lock()
        self.searches = 0

    def __enter__(self):
        with self.lock:
            self.searches += 1
            return self.seconds / max(1, self.searches - 1)

    def __exit__(self, *_):
        with self.lock:
            self.searches -= 1


BUDGET = Budget(SEARCH_SECONDS)


class Handler(BaseHTTPRequestHandler):
    """Routes of the service."""

    def do_GET(self):
        """Answer one request and log it."""
        url = urlsplit(self.path)
        if url.path == "/health":
            status, value = 200, {"status": "ok"}
        elif url.path == "/search":
            text = parse_qs(url.query).get("q", [""])[0]
            # A thread answers one request: what was spent on reading it counts too.
            with BUDGET as seconds:
                names, ranked = search(text, until=seconds)
            status, value = 200, {"products": names, "ranked": ranked}
        else:
            status, value = 404, {"error": "not found"}
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        print(f"GET {self.path} {status}", flush=True)

    def log_message(self, *_):
        """Requests are logged when they are answered."""


class Server(ThreadingHTTPServer):
    """A thread for each request."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    print(f"search-api listens on {port}", flush=True)
    Server(("", port), Handler).serve_forever()
