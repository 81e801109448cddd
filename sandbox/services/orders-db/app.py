"""rowstore: SQL over TCP, a JSON line for each request and each answer."""

import json
import os
import socketserver
import sqlite3
import threading
import time
import zlib
from pathlib import Path

# What a statement costs at least, in seconds of CPU time: plan the service's CPU limit by it.
STATEMENT_SECONDS = float(os.environ.get("STATEMENT_SECONDS", "0.0013"))
PAGE = bytes(range(256)) * 16
CUSTOMERS = 200
SNAPSHOT = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, placed_on TEXT NOT NULL
);
CREATE TABLE order_items (
  id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, product TEXT NOT NULL,
  quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL
);
"""


def restore_snapshot(connection):
    """Fill an empty database with the shop's customers and their orders."""
    orders, items = [], []
    for customer in range(1, CUSTOMERS + 1):
        for number in range(15 + 2 * (customer % 10) ** 2):
            order = len(orders) + 1
            placed_on = f"20{20 + number % 6}-{1 + number % 12:02}-{1 + order % 28:02}"
            orders.append((order, customer, placed_on))
            items.extend(
                (order, f"Product {1 + (order * 7 + line) % 200}", 1 + line, 900 + order % 4000)
                for line in range(1 + order % 3)
            )
    names = [(number, f"Customer {number}") for number in range(1, CUSTOMERS + 1)]
    connection.executescript(SNAPSHOT)
    connection.executemany("INSERT INTO customers VALUES (?, ?)", names)
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", orders)
    connection.executemany("INSERT INTO order_items VALUES (NULL, ?, ?, ?, ?)", items)
    connection.commit()
    print(f"restored snapshot: {len(orders)} orders, {len(items)} items", flush=True)


class Statistics:
    """What was executed since the last line in the log."""

    def __init__(self):
        self.lock = threading.Lock()
        self.statements = self.connections = 0

    def log_for_ever(self, every=5.0):
        """A line in the log now and then."""
        while True:
            time.sleep(every)
            with self.lock:
                done, self.statements = self.statements, 0
            rate = done / every
            print(f"statements={done} rate={rate:.0f}/s open={self.connections}", flush=True)


STATISTICS = Statistics()


class Session(socketserver.StreamRequestHandler):
    """One client's connection."""

    disable_nagle_algorithm = True

    def handle(self):
        """Execute statements until the client goes."""
        connection = sqlite3.connect(self.server.path, timeout=5, isolation_level=None)
        connection.row_factory = sqlite3.Row
        STATISTICS.connections += 1
        try:
            for line in self.rfile:
                answer = self.execute(connection, json.loads(line))
                self.wfile.write(json.dumps(answer).encode() + b"\n")
        except ConnectionError:
            pass  # the client has gone
        finally:
            STATISTICS.connections -= 1
            connection.close()

    def execute(self, connection, request):
        """The answer to one statement."""
        with STATISTICS.lock:
            STATISTICS.statements += 1
        until = time.thread_time() + STATEMENT_SECONDS
        try:
            rows = connection.execute(request["sql"], request.get("params", ())).fetchall()
        except sqlite3.Error as error:
            return {"error": str(error)}
        finally:
            verify_pages(until)
        return {"rows": [dict(row) for row in rows]}


def verify_pages(until):
    """Checksums of pages in the cache, for as long as the statement's CPU time lasts."""
    while time.thread_time() < until:
        zlib.crc32(PAGE)


class Server(socketserver.ThreadingTCPServer):
    """A thread for each client."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "7000"))
    path = Path(os.environ.get("DATA_DIRECTORY", "data"), "rowstore.db")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        snapshot = sqlite3.connect(unfinished)
        restore_snapshot(snapshot)
        snapshot.close()
        unfinished.rename(path)
    server = Server(("", port), Session)
    server.path = path
    threading.Thread(target=STATISTICS.log_for_ever, daemon=True).start()
    print(f"rowstore 1.4 listens on {port}", flush=True)
    server.serve_forever()
