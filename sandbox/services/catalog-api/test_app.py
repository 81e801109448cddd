"""Tests of the product pages."""

import threading
import unittest
import urllib.error
import urllib.request

import app


class PageTest(unittest.TestCase):
    """What a page shows."""

    def setUp(self):
        app.RECENT_VIEWS.clear()

    def test_page_shows_name_and_price(self):
        page, _ = app.show_product(7)
        self.assertIn(b"<h1>Product 7</h1>", page)
        self.assertIn(b"11.45 EUR", page)

    def test_unknown_product_has_no_page(self):
        self.assertIsNone(app.show_product(99999))

    def test_strip_shows_the_last_views_newest_first(self):
        for number in range(1, 15):
            app.show_product(number)
        self.assertEqual(app.recently_viewed(), [14, 13, 12, 11, 10, 9, 8, 7])

    def test_version_changes_when_the_strip_moves(self):
        _, before = app.show_product(1)
        _, after = app.show_product(2)
        self.assertNotEqual(before, after)


class ServerTest(unittest.TestCase):
    """The routes over HTTP."""

    def setUp(self):
        self.server = app.Server(("127.0.0.1", 0), app.Handler)
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.shutdown)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def test_product_has_an_etag(self):
        with urllib.request.urlopen(f"{self.address}/products/3", timeout=5) as answer:
            self.assertEqual(answer.status, 200)
            self.assertTrue(answer.headers["ETag"])

    def test_unknown_product_is_404(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{self.address}/products/99999", timeout=5)
        self.assertEqual(caught.exception.code, 404)
        caught.exception.close()


if __name__ == "__main__":
    unittest.main()
