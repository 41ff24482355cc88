"""A checkout ends with the order paid, or with everything given back."""

from django.core import mail
from django.test import TestCase

from durable_django.exceptions import RetriesExhausted
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from example_project.provider.faults import Behaviour
from example_project.shop.catalogue import load_products
from example_project.shop.models import Order, Product, Reservation, Shipment
from example_project.shop.ordering import start_checkout, start_pending_checkouts
from tests.example.provider import ProviderMixin


class CheckoutCase(ProviderMixin, TestCase):
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

    def assert_undone(self, order, state, reason):
        self.assertEqual((state, reason), (order.state, order.reason))
        self.assertFalse(Reservation.objects.exists() or Shipment.objects.exists())
        self.assertEqual(self.product.stock, Product.objects.get(pk=self.product.pk).stock)
        self.assertEqual([], mail.outbox)


class WhenAllGoesWell(CheckoutCase):
    def test_order_is_paid(self):
        """Goods are reserved, the card is charged once, the parcel leaves, the customer is told."""
        order = self.order()

        handle = self.check_out(order)

        self.assertEqual("paid", handle.result())
        self.assertEqual((Order.State.PAID, "ch_1"), (order.state, order.charge_id))
        self.assertEqual(self.product.stock - 2, Product.objects.get(pk=self.product.pk).stock)
        self.assertEqual((1, 1), (Reservation.objects.count(), Shipment.objects.count()))
        self.assertEqual((1, 2460), (self.ledger.sums().charges, self.ledger.sums().charged_cents))
        (confirmation,) = mail.outbox
        self.assertEqual((["zoe@mail.example"], "Your order SO-1"), (confirmation.to, confirmation.subject))

    def test_order_cannot_be_checked_out_twice(self):
        """A second start returns the first workflow, finished or not."""
        order = self.order()
        first = self.check_out(order)

        second = self.check_out(order)

        self.assertEqual(first.id, second.id)
        self.assertEqual((1, 1, 1), (Workflow.objects.count(), self.ledger.sums().charges, len(mail.outbox)))

    def test_all_pending_orders(self):
        """Starting what is pending starts each order once."""
        for number in ("SO-1", "SO-2", "SO-3"):
            self.order(number)

        self.assertEqual((3, 0), (start_pending_checkouts(), start_pending_checkouts()))
        run_until_idle()

        self.assertEqual({"paid": 3}, Order.objects.count_by_state())


class WhenTheProviderFails(CheckoutCase):
    def test_it_is_asked_again(self):
        """A failed request is repeated with the same key."""
        self.fail_first(Behaviour.UNAVAILABLE)

        self.check_out(self.order())

        self.assertEqual([1, 2], [attempt for _, attempt in self.requests])
        self.assertEqual(1, len({key for key, _ in self.requests}))

    def test_late_answers(self):
        """A charge that was made but answered too late is not made again."""
        self.fail_first(Behaviour.LATE)

        handle = self.check_out(self.order())

        self.assertEqual("paid", handle.result())
        self.assertEqual((1, 0), (self.ledger.sums().charges, self.ledger.sums().charged_twice))

    def test_it_never_answers(self):
        """After the last attempt the order fails, the goods go back, and the workflow shows the error."""
        order = self.order(card="tok_issuer_down")

        handle = self.check_out(order)

        with self.assertRaises(RetriesExhausted):
            handle.result()
        self.assert_undone(order, Order.State.FAILED, order.reason)
        self.assertIn("charge_card", order.reason)

    def test_it_charged_without_ever_answering(self):
        """Nobody here knows of the charge; it is given back all the same."""
        self.behaviour = lambda key, _attempt: Behaviour.LATE if key == self.requests[0][0] else Behaviour.ANSWER
        order = self.order()

        self.check_out(order)

        self.assert_undone(order, Order.State.REFUNDED, order.reason)
        self.assertEqual((1, 1), (self.ledger.sums().charges, self.ledger.sums().refunds))


class WhenTheOrderIsRefused(CheckoutCase):
    def test_card_is_declined(self):
        """The goods go back; nothing was charged, nothing is refunded."""
        order = self.order(card="tok_declined")

        handle = self.check_out(order)

        self.assertEqual("failed", handle.result())
        self.assert_undone(order, Order.State.FAILED, "The card was declined.")
        self.assertEqual((0, 0), (self.ledger.sums().charges, self.ledger.sums().refunds))

    def test_goods_are_out_of_stock(self):
        """The card is not charged."""
        order = self.order(quantity=601)

        handle = self.check_out(order)

        self.assertEqual("failed", handle.result())
        self.assert_undone(order, Order.State.FAILED, "Fewer than 601 of MUG-01 are in stock.")
        self.assertEqual(0, self.ledger.sums().charges)

    def test_nobody_delivers_there(self):
        """The charge is given back."""
        order = self.order(country="AQ")

        handle = self.check_out(order)

        self.assertEqual("refunded", handle.result())
        self.assert_undone(order, Order.State.REFUNDED, "No carrier goes to AQ.")
        self.assertEqual((1, 2460), (self.ledger.sums().refunds, self.ledger.sums().refunded_cents))
