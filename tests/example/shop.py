"""A test of the shop: products, a payment provider, and orders to check out."""

from django.core import mail
from django.test import TestCase

from durable_django.testing import run_until_idle, travel
from example_project.shop.catalogue import load_products
from example_project.shop.models import Order, Product, Reservation, Shipment
from example_project.shop.ordering import start_checkout
from tests.example.provider import ProviderMixin


class ShopCase(ProviderMixin, TestCase):
    @classmethod
    def setUpTestData(cls):
        load_products()
        cls.product = Product.objects.get(sku="MUG-01")

    def order(self, number="SO-1", **values):
        facts = {
            "product": self.product,
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

    def check_out(self, order):
        """Run the checkout to its end, however often it has to wait for the provider."""
        handle = start_checkout(order)
        run_until_idle()
        hours = 0
        while not handle.refresh().workflow.is_finished:
            hours += 1
            self.assertLess(hours, 100, "the checkout has not ended in a hundred hours")
            with travel(hours=hours):
                run_until_idle()
        order.refresh_from_db()
        return handle

    def assert_paid(self, order):
        """Everything was done for the order, once; an e-mail may have gone out again."""
        self.assertEqual((Order.State.PAID, ""), (order.state, order.reason))
        self.assertEqual(1, Reservation.objects.filter(order=order).count())
        self.assertEqual(1, Shipment.objects.filter(order=order).count())
        self.assertEqual(1, len({message.extra_headers["Message-ID"] for message in self.mails_for(order)}))

    def assert_undone(self, order, state, reason):
        """Nothing is left of the checkout."""
        self.assertEqual((state, reason), (order.state, order.reason))
        self.assertFalse(Reservation.objects.filter(order=order).exists())
        self.assertFalse(Shipment.objects.filter(order=order).exists())
        self.assertEqual(self.product.stock, Product.objects.get(pk=self.product.pk).stock)
        self.assertEqual([], self.mails_for(order))

    def mails_for(self, order):
        return [message for message in mail.outbox if order.number in message.subject]
