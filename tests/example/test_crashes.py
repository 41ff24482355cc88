"""A checkout whose worker dies, at any place, ends as if nothing had happened."""

from django.core import mail

from durable_django.testing import crash_after, crash_before, travel
from example_project.shop import workflows
from example_project.shop.models import Order, Product
from example_project.shop.ordering import start_checkout
from tests.example.shop import ShopCase

ALL_WENT_WELL = ("reserve_stock", "charge_card", "create_shipment", "send_confirmation")
ALL_WAS_UNDONE = ("reserve_stock", "charge_card", "refund", "release_stock")


def crash_unrecorded(step):
    return crash_after(step, recorded=False)


def places(names):
    return [(crash, name) for name in names for crash in (crash_before, crash_unrecorded, crash_after)]


class WhenTheWorkerDies(ShopCase):
    def test_paid_orders(self):
        """Wherever that was, the order is paid once, shipped once, and the stock is right."""
        for number, (crash, name) in enumerate(places(ALL_WENT_WELL), 1):
            with self.subTest(name, crash=crash.__name__):
                order = self.order(f"SO-{number}")
                stock = self.stock()

                self.check_out_with(crash(getattr(workflows, name)), order)

                self.assert_paid(order)
                self.assertEqual(stock - 2, self.stock())
                self.assertEqual((number, 0), (self.ledger.sums().charges, self.ledger.sums().charged_twice))

    def test_undone_orders(self):
        """Wherever that was, money and goods are given back, once."""
        for number, (crash, name) in enumerate(places(ALL_WAS_UNDONE), 1):
            with self.subTest(name, crash=crash.__name__):
                order = self.order(f"SO-{number}", country="AQ")

                self.check_out_with(crash(getattr(workflows, name)), order)

                self.assert_undone(order, Order.State.REFUNDED, "No carrier goes to AQ.")
                sums = self.ledger.sums()
                self.assertEqual((number, number, 0), (sums.charges, sums.refunds, sums.charged_twice))

    def test_step_that_refuses(self):
        """A worker that dies before or behind the refusal of a step changes nothing about it."""
        for number, crash in enumerate((crash_before, crash_after), 1):
            with self.subTest(crash=crash.__name__):
                order = self.order(f"SO-{number}", country="AQ")

                self.check_out_with(crash(workflows.create_shipment), order)

                self.assert_undone(order, Order.State.REFUNDED, "No carrier goes to AQ.")

    def test_asking_for_the_payment(self):
        """A worker that dies around the question what became of a charge changes nothing about the answer."""
        for number, (crash, name) in enumerate(places(["look_up_charge"]), 1):
            with self.subTest(crash=crash.__name__):
                order = self.order(f"SO-{number}")
                handle = start_checkout(order)
                self.lose_webhooks()

                with crash(getattr(workflows, name)), travel(hours=1):
                    self.work()
                    self.assertEqual("running", handle.refresh().status, "the worker did not die")
                    self.work()

                order.refresh_from_db()
                self.assert_paid(order)

    def test_charge_that_nobody_recorded(self):
        """The provider is asked twice with one key, and takes the money once."""
        order = self.order()

        self.check_out_with(crash_unrecorded(workflows.charge_card), order)

        self.assert_paid(order)
        self.assertEqual(2, len(self.requests))
        self.assertEqual(1, len({key for key, _ in self.requests}))
        self.assertEqual(1, self.ledger.sums().charges)

    def test_confirmation_that_nobody_recorded(self):
        """The e-mail goes out again, but as a copy that can be told by its Message-ID."""
        order = self.order()

        self.check_out_with(crash_unrecorded(workflows.send_confirmation), order)

        first, second = (message.extra_headers["Message-ID"] for message in mail.outbox)
        self.assertEqual(first, second)

    def check_out_with(self, crash, order):
        """Let the worker die there, and another one take over."""
        handle = start_checkout(order)
        with crash:
            self.work()
        self.assertEqual("running", handle.refresh().status, "the worker did not die")

        self.work()

        order.refresh_from_db()
        self.assertTrue(handle.refresh().workflow.is_finished)

    def stock(self):
        return Product.objects.get(pk=self.product.pk).stock
