"""Tests of the report."""

import unittest

import app


class ReportTest(unittest.TestCase):
    """What the report says."""

    def test_it_sums_the_sales(self):
        lines = app.make_report([100, 250])
        self.assertEqual(lines, ["orders: 2", "revenue: 3.50 EUR", "largest: 2.50 EUR"])

    def test_a_day_without_sales_has_a_report(self):
        self.assertEqual(app.make_report([])[0], "orders: 0")


if __name__ == "__main__":
    unittest.main()
