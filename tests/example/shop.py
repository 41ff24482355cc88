"""A test of the shop: products, a payment provider, and orders to check out."""

from django.conf import settings
from django.core import mail
from django.test import TestCase, override_settings

from durable_django import read_stream
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from example_project.provider.webhooks import signature_of
from example_project.shop.catalogue import load_products
from example_project.shop.models import Order, Product, Reservation, Shipment
from example_project.shop.ordering import start_checkout
from tests.example.provider import ProviderMixin

#: What the shop's own settings say, for tests that run under those of the suite.
as_in_the_shop = override_settings(
    ROOT_URLCONF="example_project.urls",
    LOGIN_URL="admin:login",
    PAYMENT_WEBHOOK_SECRET="known to two",
    DURABLE_DJANGO={"STREAM_PERMISSION": "example_project.shop.permissions.may_read_stream"},
)

NEWS_OF_PAID_ORDER = [
    "The goods are set aside.",
    "The bank decides about the payment.",
    "The order is paid.",
    "The parcel is on its way.",
    "The customer knows.",
]


def make_order(number, **values):
    """Make an order with nothing wrong in it, but for what is given; a mug unless a product is."""
    facts = {
        "quantity": 2,
        "amount": "24.60",
        "currency": "EUR",
        "card": "tok_visa",
        "customer": "Zoë",
        "email": "zoe@mail.example",
        "address": "Lindenstraße 5",
        "country": "DE",
    }
    product = values.pop("product", None) or Product.objects.get(sku="MUG-01")
    return Order.objects.create(number=number, product=product, **{**facts, **values})


@as_in_the_shop
class ShopCase(ProviderMixin, TestCase):
    @classmethod
    def setUpTestData(cls):
        load_products()
        cls.product = Product.objects.get(sku="MUG-01")

    def order(self, number="SO-1", **values):
        return make_order(number, **{"product": self.product, **values})

    def check_out(self, order):
        """Run the checkout to its end, however often it has to wait for the provider."""
        handle = start_checkout(order)
        self.work()
        hours = 0
        while not handle.refresh().workflow.is_finished:
            hours += 1
            self.assertLess(hours, 100, "the checkout has not ended in a hundred hours")
            with travel(hours=hours):
                self.work()
        order.refresh_from_db()
        return handle

    def work(self):
        """Run workflows, and deliver the webhooks that come of it, until they wait for a moment or the worker dies."""
        run_until_idle()
        while self.webhooks and not Workflow.objects.running().exists():
            self.assertLess(self.deliver(self.webhooks.pop(0)).status_code, 300)
            run_until_idle()

    def lose_webhooks(self):
        """Run workflows until they wait, and let the provider's webhooks get lost."""
        run_until_idle()
        self.webhooks.clear()

    def deliver(self, body, **headers):
        """Let the provider call the shop."""
        headers.setdefault("Webhook-Signature", signature_of(body, settings.PAYMENT_WEBHOOK_SECRET))
        return self.client.post("/webhooks/payments/", body, content_type="application/json", headers=headers)

    def assert_paid(self, order):
        """Everything was done for the order, once; an e-mail may have gone out again."""
        self.assertEqual((Order.State.PAID, ""), (order.state, order.reason))
        self.assertEqual(1, Reservation.objects.filter(order=order).count())
        self.assertEqual(1, Shipment.objects.filter(order=order).count())
        self.assertEqual(1, len({message.extra_headers["Message-ID"] for message in self.mails_for(order)}))
        self.assertEqual(NEWS_OF_PAID_ORDER, self.news_of(order))

    def assert_undone(self, order, state, reason):
        """Nothing is left of the checkout."""
        self.assertEqual((state, reason), (order.state, order.reason))
        self.assertFalse(Reservation.objects.filter(order=order).exists())
        self.assertFalse(Shipment.objects.filter(order=order).exists())
        self.assertEqual(self.product.stock, Product.objects.get(pk=self.product.pk).stock)
        self.assertEqual([], self.mails_for(order))

    def news_of(self, order):
        return list(read_stream(order.workflow_id, "progress"))

    def mails_for(self, order):
        return [message for message in mail.outbox if order.number in message.subject]
