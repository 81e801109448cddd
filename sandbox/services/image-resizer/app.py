"""Scales the shop's pictures; makes the previews anew in batches."""

import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

WIDTH, HEIGHT = 96, 64
BATCH_EVERY_SECONDS = 20.0
BATCH_SECONDS = 4.0
# A batch takes turns with the requests: some work, then a rest.
TURN_SECONDS = 0.007
REST_SECONDS = 0.063


def load_picture(number):
    """The grey values of a picture, row by row."""
    return [bytes((x * number + y * 7) % 256 for x in range(WIDTH)) for y in range(HEIGHT)]


def scale(picture, width):
    """A picture scaled to a width by its nearest pixels."""
    width = max(8, min(width, WIDTH))
    step = WIDTH / width
    columns = [int(x * step) for x in range(width)]
    rows = [picture[int(y * step)] for y in range(int(HEIGHT / step))]
    return [bytes(row[column] for column in columns) for row in rows]


def to_pgm(picture):
    """A picture as a file."""
    return f"P5 {len(picture[0])} {len(picture)} 255\n".encode() + b"".join(picture)


PICTURES = {number: load_picture(number) for number in range(1, 21)}


def make_batch(seconds=BATCH_SECONDS):
    """Make previews anew for a while; their number."""
    made = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        turn = time.thread_time() + TURN_SECONDS
        while time.thread_time() < turn:
            to_pgm(scale(PICTURES[1 + made % len(PICTURES)], 16))
            made += 1
        time.sleep(REST_SECONDS)
    return made


def make_batches_for_ever():
    """A batch every now and then."""
    while True:
        started = time.monotonic()
        print(f"batch done: {make_batch()} previews", flush=True)
        time.sleep(max(0.0, BATCH_EVERY_SECONDS - (time.monotonic() - started)))


def find_picture(target):
    """The scaled picture for a request's target; None when there is none."""
    url = urlsplit(target)
    kind, _, number = url.path.strip("/").partition("/")
    width = parse_qs(url.query).get("width", ["48"])[0]
    if kind != "images" or not number.isdigit() or not width.isdigit():
        return None
    picture = PICTURES.get(int(number))
    return picture and to_pgm(scale(picture, int(width)))


class Handler(BaseHTTPRequestHandler):
    """Routes of the service."""

    def do_GET(self):
        """Answer one request and log it."""
        body = b"ok" if self.path == "/health" else find_picture(self.path)
        status = 404 if body is None else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
        print(f"GET {self.path} {status}", flush=True)

    def log_message(self, *_):
        """Requests are logged when they are answered."""


class Server(ThreadingHTTPServer):
    """A thread for each request."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    threading.Thread(target=make_batches_for_ever, daemon=True).start()
    print(f"image-resizer listens on {port}", flush=True)
    Server(("", port), Handler).serve_forever()
