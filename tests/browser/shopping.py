"""A checkout that failed because of a mistake in its order, as operators of the shop find it in the morning."""

from __future__ import annotations

from durable_django import send
from durable_django.testing import run_until_idle
from example_project.shop.catalogue import load_products
from example_project.shop.models import Order, Product
from example_project.shop.ordering import start_checkout
from tests.example.provider import ProviderMixin


class FailedCheckoutMixin(ProviderMixin):
    """Gives every test order SO-7: paid, but it cannot be shipped, since its address has lost the country."""

    def setUp(self):
        super().setUp()
        load_products()
        self.order = make_order("SO-7", country="")
        self.checkout = start_checkout(self.order)
        send(self.checkout.id, "succeeded", topic="payment")
        run_until_idle()


def make_order(number, **values):
    """Make an order with nothing wrong in it, but for what is given."""
    facts = {
        "product": Product.objects.get(sku="MUG-01"),
        "quantity": 2,
        "amount": "24.60",
        "currency": "EUR",
        "card": "tok_visa",
        "customer": "Zoë",
        "email": "zoe@mail.example",
        "address": "Lindenstraße 5",
        "country": "DE",
    }
    return Order.objects.create(number=number, **{**facts, **values})
