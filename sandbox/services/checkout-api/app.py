"""Carts of the shop, and their checkouts, which a payment provider authorises."""

import json
import os
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAYWELL_URL = os.environ.get("PAYWELL_URL", "http://api.paywell.test")
# How long a customer is let wait for the provider, in seconds.
PAYWELL_TIMEOUT = 2.0
CARTS = {
    number: {"id": number, "cents": 1490 + 230 * (number % 17), "items": 1 + number % 5}
    for number in range(1, 201)
}


class ProviderError(Exception):
    """The provider did not authorise a payment, or did not answer."""


def authorise(cart):
    """The provider's reference for a payment of this cart."""
    url = f"{PAYWELL_URL}/v1/authorisations/{cart['id']}?cents={cart['cents']}"
    try:
        with urllib.request.urlopen(url, timeout=PAYWELL_TIMEOUT) as answer:
            return json.load(answer)["reference"]
    except (OSError, ValueError, KeyError) as error:
        raise ProviderError(f"GET {url.partition('?')[0]}: {error}") from error


def get_cart(number):
    """A cart; 404 when there is none."""
    cart = CARTS.get(number)
    return (200, cart) if cart else (404, {"error": "no such cart"})


def get_checkout(number, pay=authorise):
    """A cart with the reference under which it can be paid; 502 when the provider fails."""
    status, cart = get_cart(number)
    if status != 200:
        return status, cart
    try:
        return 200, {**cart, "reference": pay(cart)}
    except ProviderError as error:
        print(f"checkout {number} cannot be authorised: {error}", file=sys.stderr, flush=True)
        return 502, {"error": "payments are not available"}


ROUTES = {"carts": get_cart, "checkouts": get_checkout}


def answer(path):
    """Status and JSON value for a path."""
    if path == "/health":
        return 200, {"status": "ok"}
    name, _, number = path.strip("/").partition("/")
    if name in ROUTES and number.isdigit():
        return ROUTES[name](int(number))
    return 404, {"error": "not found"}


class Handler(BaseHTTPRequestHandler):
    """The routes over HTTP."""

    def do_GET(self):
        """Answer one request and log it."""
        status, value = answer(self.path)
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
    print(f"checkout-api listens on {port}", flush=True)
    Server(("", port), Handler).serve_forever()
