"""Tests of the order pages, against the schema in memory."""

import sqlite3
import unittest

import app


class LocalDatabase:
    """The schema in memory, with the client's interface."""

    def __init__(self):
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(app.SCHEMA.read_text())
        self.queries = 0

    def close(self):
        self.connection.close()

    def query(self, sql, params=()):
        self.queries += 1
        return [dict(row) for row in self.connection.execute(sql, params)]


class PagesTest(unittest.TestCase):
    """What the pages show."""

    def setUp(self):
        self.database = LocalDatabase()
        self.addCleanup(self.database.close)
        run = self.database.connection.executemany
        run("INSERT INTO customers VALUES (?, ?)", [(1, "Ada"), (2, "Grace & Co")])
        run(
            "INSERT INTO orders VALUES (?, ?, ?)",
            [(10, 1, "2025-01-02"), (11, 2, "2025-01-03"), (12, 1, "2025-02-01"), (13, 1, "2025-03-01")],
        )
        run(
            "INSERT INTO order_items VALUES (NULL, ?, ?, ?, ?)",
            [(10, "Lamp", 2, 1500), (10, "Bulb", 1, 250), (11, "Desk", 1, 9900), (12, "Chair", 4, 5000)],
        )

    def test_orders_come_oldest_first_with_their_items(self):
        orders = app.load_orders(self.database, 1)
        self.assertEqual([order["id"] for order in orders], [10, 12, 13])
        self.assertEqual([item["product"] for item in orders[0]["items"]], ["Lamp", "Bulb"])

    def test_an_order_without_items_is_shown(self):
        self.assertEqual(app.load_orders(self.database, 1)[2]["items"], [])

    def test_total_is_the_sum_over_the_items(self):
        orders = app.load_orders(self.database, 1)
        self.assertEqual([app.order_total(order) for order in orders], [3250, 20000, 0])

    def test_page_holds_dates_items_and_totals(self):
        status, page = app.orders_page(self.database, 1)
        self.assertEqual(status, 200)
        self.assertIn("<td>10</td><td>2025-01-02</td><td>2 x Lamp, 1 x Bulb</td><td>32.50 EUR</td>", page)

    def test_customer_without_orders_is_404(self):
        self.assertEqual(app.orders_page(self.database, 77)[0], 404)

    def test_customer_page_escapes_the_name(self):
        self.assertEqual(app.customer_page(self.database, 2), (200, "<!doctype html><h1>Grace &amp; Co</h1>"))

    def test_paths_lead_to_pages(self):
        self.assertEqual(app.find_page("/customers/5/orders"), ("orders", app.orders_page, 5))
        self.assertEqual(app.find_page("/customers/5"), ("customer", app.customer_page, 5))
        self.assertIsNone(app.find_page("/customers/x/orders"))


if __name__ == "__main__":
    unittest.main()
