"""A checkout that failed because of a mistake in its order, as operators of the shop find it in the morning."""

from __future__ import annotations

from durable_django import send
from durable_django.testing import run_until_idle
from example_project.shop.catalogue import load_products
from example_project.shop.ordering import start_checkout
from tests.example.provider import ProviderMixin
from tests.example.shop import make_order


class FailedCheckoutMixin(ProviderMixin):
    """Gives every test order SO-7: paid, but it cannot be shipped, since its address has lost the country."""

    def setUp(self):
        super().setUp()
        load_products()
        self.order = make_order("SO-7", country="")
        self.checkout = start_checkout(self.order)
        send(self.checkout.id, "succeeded", topic="payment")
        run_until_idle()
