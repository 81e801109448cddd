"""Tests of invoices and balances."""

import json
import threading
import unittest
import urllib.error
import urllib.request

import app


class InvoiceTest(unittest.TestCase):
    """What an invoice says."""

    def test_total_is_subtotal_less_discount_plus_tax(self):
        status, invoice = app.get_invoice(4)
        self.assertEqual(status, 200)
        self.assertEqual(invoice["customer_id"], 5)
        self.assertEqual(invoice["subtotal"], 1410)
        self.assertEqual(invoice["discount"], 141)
        self.assertEqual(invoice["tax"], 241)
        self.assertEqual(invoice["total"], 1410 - 141 + 241)

    def test_every_line_counts(self):
        invoice = {"customer_id": 4, "lines": [{"cents": 100}, {"cents": 250}]}
        self.assertEqual(app.invoice_total(invoice)["subtotal"], 350)

    def test_unknown_invoice_is_404(self):
        self.assertEqual(app.get_invoice(99999)[0], 404)


class BalanceTest(unittest.TestCase):
    """What a customer owes."""

    def test_balance_counts_unpaid_invoices_only(self):
        status, balance = app.get_balance(1)
        self.assertEqual(status, 200)
        unpaid = [i for i in app.INVOICES.values() if i["customer_id"] == 1 and not i["paid"]]
        self.assertEqual(balance["open_cents"], sum(map(app.subtotal, unpaid)))

    def test_unknown_customer_is_404(self):
        self.assertEqual(app.get_balance(99999)[0], 404)


class ServerTest(unittest.TestCase):
    """The routes over HTTP."""

    def setUp(self):
        self.server = app.Server(("127.0.0.1", 0), app.Handler)
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.shutdown)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def test_invoice_is_json(self):
        with urllib.request.urlopen(f"{self.address}/invoices/4", timeout=5) as answer:
            self.assertEqual(json.load(answer)["id"], 4)

    def test_unknown_path_is_404(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{self.address}/nothing", timeout=5)
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()


if __name__ == "__main__":
    unittest.main()
