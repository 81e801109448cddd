"""Invoices and balances of the shop's customers."""

import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TAX_PERCENT = {"AT": 20, "DE": 19, "FR": 20, "NL": 21}
COUNTRIES = tuple(TAX_PERCENT)
CUSTOMERS = {
    number: {"id": number, "name": f"Customer {number}", "country": COUNTRIES[number % 4]}
    for number in range(1, 61)
}
# Agreed with sales; a percentage on every line of an invoice.
DISCOUNTS = {
    number: {"percent": (0, 5, 10)[number % 3], "agreed_by": "sales"}
    for number in CUSTOMERS
    if number % 12 != 7
}
INVOICES = {
    number: {
        "id": number,
        "customer_id": 1 + number % len(CUSTOMERS),
        "lines": [
            {"text": f"Product {number % 37 + line}", "cents": 1250 + 40 * (number % 50) * line}
            for line in range(1, 2 + number % 4)
        ],
        "paid": number % 5 != 0,
    }
    for number in range(1, 601)
}


def subtotal(invoice):
    """The sum of the lines in cents."""
    return sum(line["cents"] for line in invoice["lines"])


def invoice_total(invoice):
    """Subtotal, discount, tax and total of an invoice in cents."""
    customer = CUSTOMERS[invoice["customer_id"]]
    net = subtotal(invoice)
    discount = net * DISCOUNTS.get(customer["id"], {"percent": 0})["percent"] // 100
    tax = (net - discount) * TAX_PERCENT[customer["country"]] // 100
    return {"subtotal": net, "discount": discount, "tax": tax, "total": net - discount + tax}


def get_invoice(number):
    """An invoice with its totals; 404 when there is none."""
    invoice = INVOICES.get(number)
    if invoice is None:
        return 404, {"error": "no such invoice"}
    return 200, {**invoice, **invoice_total(invoice)}


def get_balance(number):
    """What a customer owes, before discount and tax; 404 for an unknown customer."""
    if number not in CUSTOMERS:
        return 404, {"error": "no such customer"}
    owed = sum(
        subtotal(invoice)
        for invoice in INVOICES.values()
        if invoice["customer_id"] == number and not invoice["paid"]
    )
    return 200, {"customer": number, "open_cents": owed}


ROUTES = (
    (re.compile(r"/invoices/(\d+)"), get_invoice),
    (re.compile(r"/customers/(\d+)/balance"), get_balance),
)


def answer(path):
    """Status and JSON value for a path."""
    if path == "/health":
        return 200, {"status": "ok"}
    for pattern, route in ROUTES:
        if match := pattern.fullmatch(path):
            return route(int(match[1]))
    return 404, {"error": "not found"}


class Handler(BaseHTTPRequestHandler):
    """The routes over HTTP; what a route raises is logged by the server."""

    def do_GET(self):
        """Answer one request and log it."""
        try:
            status, value = answer(self.path)
        except Exception:
            self.send(500, {"error": "internal server error"})
            raise
        self.send(status, value)

    def send(self, status, value):
        """Send a whole answer."""
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
    print(f"billing-api listens on {port}", flush=True)
    Server(("", port), Handler).serve_forever()
