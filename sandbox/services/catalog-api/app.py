"""Product pages of the shop, with the products that were viewed last."""

import hashlib
import html
import itertools
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

STRIP_LENGTH = 8
REVIEWS_PER_PRODUCT = 520
PRODUCTS = {
    number: {"id": number, "name": f"Product {number}", "price_cents": 900 + 35 * number}
    for number in range(1, 201)
}
REVIEW = (
    "<li><b>{stars} of 5</b> <i>customer {customer}</i><p>Arrived on time and does what the "
    "description says. The finish is good for the price, the manual could be longer. I would "
    "buy it again and have already recommended it to two colleagues at work.</p></li>"
)


class View(NamedTuple):
    """One look at a product page."""

    product_id: int
    page: bytes


RECENT_VIEWS = []
VIEW_NUMBERS = itertools.count(1)


def render_reviews(product_id):
    """The reviews of a product, newest first."""
    return "\n".join(
        REVIEW.format(stars=3 + (product_id + number) % 3, customer=product_id * 1000 + number)
        for number in range(REVIEWS_PER_PRODUCT)
    )


REVIEWS = {product_id: render_reviews(product_id) for product_id in range(1, 21)}


def recently_viewed():
    """Ids of the products that were viewed last, newest first."""
    newest_first = (view.product_id for view in reversed(tuple(RECENT_VIEWS)))
    return list(itertools.islice(newest_first, STRIP_LENGTH))


def render_page(product):
    """The page of a product as HTML."""
    strip = " ".join(f'<a href="/products/{number}">{number}</a>' for number in recently_viewed())
    reviews = REVIEWS[1 + product["id"] % len(REVIEWS)]
    return (
        f"<!doctype html><title>{html.escape(product['name'])}</title>"
        f"<h1>{html.escape(product['name'])}</h1><p>{product['price_cents'] / 100:.2f} EUR</p>"
        f"<nav>Viewed last: {strip}</nav><ul>{reviews}</ul>"
    ).encode()


def remember_view(product, page):
    """Add a page to the views that the strip is made of."""
    RECENT_VIEWS.append(View(product["id"], page))


def page_version():
    """An ETag that changes whenever the strip or a page in it does."""
    digest = hashlib.md5(usedforsecurity=False)
    for view in tuple(RECENT_VIEWS):
        digest.update(view.page)
    return digest.hexdigest()


def show_product(product_id):
    """The page of a product and its ETag; None when there is no such product."""
    product = PRODUCTS.get(product_id)
    if product is None:
        return None
    page = render_page(product)
    remember_view(product, page)
    if next(VIEW_NUMBERS) % 20 == 0:
        views = tuple(RECENT_VIEWS)
        megabytes = sum(len(view.page) for view in views) / 1e6
        print(f"retained={len(views)} views, {megabytes:.1f} MB", flush=True)
    return page, page_version()


class Handler(BaseHTTPRequestHandler):
    """Routes of the service."""

    def do_GET(self):
        """Answer one request and log it."""
        started = time.monotonic()
        status, kind, body, headers = self.route()
        try:
            self.answer(status, kind, body, headers)
        except ConnectionError:
            status = 499  # the client has gone
        milliseconds = (time.monotonic() - started) * 1000
        print(f"GET {self.path} {status} {milliseconds:.0f}ms", flush=True)

    def route(self):
        """Status, content type, body and further headers for the path."""
        if self.path == "/health":
            return 200, "text/plain", b"ok", {}
        if self.path == "/products":
            return 200, "application/json", json.dumps(list(PRODUCTS.values())).encode(), {}
        name, _, number = self.path.removeprefix("/").partition("/")
        shown = show_product(int(number)) if name == "products" and number.isdigit() else None
        if shown is None:
            return 404, "text/plain", b"not found", {}
        page, version = shown
        return 200, "text/html", page, {"ETag": f'"{version}"'}

    def answer(self, status, kind, body, headers):
        """Send a whole answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Requests are logged with their duration in do_GET."""


class Server(ThreadingHTTPServer):
    """A thread for each request."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    print(f"catalog-api listens on {port}", flush=True)
    Server(("", port), Handler).serve_forever()
