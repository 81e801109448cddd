"""The pages on which customers see their orders."""

import html
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from database import Database, DatabaseError

DATABASE = os.environ.get("ORDERS_DB", "127.0.0.1:7000")
SCHEMA = Path(__file__).with_name("schema.sql")


def load_orders(database, customer_id):
    """The orders of a customer, oldest first, each with its items."""
    rows = database.query(
        "SELECT orders.id, orders.placed_on, item.product, item.quantity, item.price_cents"
        " FROM orders LEFT JOIN order_items AS item ON item.order_id = orders.id"
        " WHERE orders.customer_id = ? ORDER BY orders.id, item.id",
        [customer_id],
    )
    orders = {}
    for row in rows:
        head = {"id": row["id"], "placed_on": row["placed_on"], "items": []}
        order = orders.setdefault(row["id"], head)
        if row["product"] is not None:
            order["items"].append(row)
    return list(orders.values())


def order_total(order):
    """What an order costs, in cents."""
    return sum(item["quantity"] * item["price_cents"] for item in order["items"])


def render_orders(customer_id, orders):
    """The page with the orders of a customer as HTML."""
    rows = []
    for order in orders:
        items = ", ".join(f"{item['quantity']} x {item['product']}" for item in order["items"])
        total = f"{order_total(order) / 100:.2f} EUR"
        cells = (str(order["id"]), order["placed_on"], html.escape(items), total)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<!doctype html><h1>Orders of customer {customer_id}</h1><table>{''.join(rows)}</table>"


def orders_page(database, customer_id):
    """The page with the orders of a customer; 404 without any."""
    orders = load_orders(database, customer_id)
    if not orders:
        return 404, "no orders"
    return 200, render_orders(customer_id, orders)


def customer_page(database, customer_id):
    """The page with the name of a customer."""
    found = database.query("SELECT name FROM customers WHERE id = ?", [customer_id])
    if not found:
        return 404, "no such customer"
    return 200, f"<!doctype html><h1>{html.escape(found[0]['name'])}</h1>"


def find_page(path):
    """Name and function of the page for a path, and the customer it is about."""
    parts = path.strip("/").split("/")
    if len(parts) < 2 or parts[0] != "customers" or not parts[1].isdigit():
        return None
    if parts[2:] == ["orders"]:
        return "orders", orders_page, int(parts[1])
    return ("customer", customer_page, int(parts[1])) if len(parts) == 2 else None


def answer_page(name, page, customer_id):
    """Status and text of a page, with a line in the log about its queries."""
    database = None
    try:
        with Database(DATABASE) as database:
            status, text = page(database, customer_id)
    except DatabaseError as error:
        queries = database.queries if database else 0
        message = f"page={name} customer={customer_id} queries={queries} database: {error}"
        print(message, file=sys.stderr, flush=True)
        return 503, "please try again"
    spent = f"queries={database.queries} db_ms={database.milliseconds:.0f}"
    print(f"page={name} customer={customer_id} {spent} status={status}", flush=True)
    return status, text


class Handler(BaseHTTPRequestHandler):
    """Routes of the service."""

    def do_GET(self):
        """Answer one request."""
        page = find_page(self.path)
        if self.path == "/health":
            status, text = 200, "ok"
        else:
            status, text = answer_page(*page) if page else (404, "not found")
        body = text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            print(f"GET {self.path} client closed the connection", flush=True)

    def log_message(self, *_):
        """A page is logged with its queries."""


class Server(ThreadingHTTPServer):
    """A thread for each request."""

    daemon_threads = True
    request_queue_size = 128


def apply_schema(attempts=20):
    """Apply schema.sql; the database may still be starting."""
    for attempt in range(1, attempts + 1):
        try:
            with Database(DATABASE, timeout=30) as database:
                for statement in filter(str.strip, SCHEMA.read_text().split(";")):
                    database.query(statement)
        except DatabaseError as error:
            if attempt == attempts:
                raise
            print(f"schema not applied yet: {error}", flush=True)
            time.sleep(0.5)
        else:
            return


if __name__ == "__main__":
    apply_schema()
    port = int(os.environ.get("PORT", "8080"))
    print(f"orders-web listens on {port}", flush=True)
    Server(("", port), Handler).serve_forever()
