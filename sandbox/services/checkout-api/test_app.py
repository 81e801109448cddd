"""Tests of the checkouts."""

import unittest

import app


def refuse(_cart):
    """A provider that is down."""
    raise app.ProviderError("503")


class CheckoutTest(unittest.TestCase):
    """What a customer gets."""

    def test_a_checkout_has_the_providers_reference(self):
        status, value = app.get_checkout(7, pay=lambda cart: f"ref-{cart['id']}")
        self.assertEqual((status, value["reference"]), (200, "ref-7"))

    def test_a_provider_that_is_down_is_no_fault_of_the_customer(self):
        status, value = app.get_checkout(7, pay=refuse)
        self.assertEqual((status, value), (502, {"error": "payments are not available"}))

    def test_a_cart_that_does_not_exist_is_not_asked_for(self):
        self.assertEqual(app.get_checkout(999, pay=refuse)[0], 404)


if __name__ == "__main__":
    unittest.main()
