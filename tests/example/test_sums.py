"""The sums after the demo agree, and the checks notice when they do not."""

import tempfile
from pathlib import Path

from django.core import mail
from django.core.mail.backends.filebased import EmailBackend

from durable_django.models import StreamEntry, Workflow
from durable_django.testing import crash_after
from example_project.demo.crash import Crash
from example_project.demo.sums import Sums
from example_project.shop import workflows
from example_project.shop.models import Order, Product, Reservation, Shipment
from example_project.shop.ordering import start_pending_checkouts
from tests.example.shop import ShopCase


class SumsCase(ShopCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.mails = Path(folder.name)
        self.crash = self.check_out_all()

    def check_out_all(self):
        """Check out three orders of which one is refunded; the worker dies with the first charged but unrecorded."""
        self.paid, self.also_paid = self.order("SO-1"), self.order("SO-2")
        self.refunded = self.order("SO-3", country="AQ")
        start_pending_checkouts()
        with crash_after(workflows.charge_card, recorded=False):
            self.work()
        attempts = dict(Workflow.objects.running().values_list("pk", "attempt"))
        self.work()
        self.send(mail.outbox)
        return Crash("worker-2", (), attempts, tuple(attempts))

    def send(self, messages):
        """Put e-mails into the folder, as the demo's own backend does."""
        backend = EmailBackend(file_path=self.mails)
        backend.send_messages(messages)

    def read(self):
        return Sums.read(self.ledger, self.mails, self.crash)

    def off(self):
        """Return the texts of the checks that do not hold."""
        return [check.text for check in self.read().checks() if not check.holds]


class WhenAllIsRight(SumsCase):
    def test_checks(self):
        """All checks hold."""
        self.assertEqual([], self.off())

    def test_table(self):
        """The table says what came of the orders."""
        table = {label.strip(): number for label, number in self.read().rows()}

        self.assertLessEqual(
            {
                "orders": 3,
                "paid": 2,
                "refunded": 1,
                "reservations": 2,
                "charges at the provider": 3,
                "refunds at the provider": 1,
                "webhooks received": 3,
                "provider asked, as none came": 0,
                "e-mails": 2,
                "duplicates (charged twice)": 0,
                "recovered workflows": 1,
            }.items(),
            table.items(),
        )

    def test_copy_of_an_email(self):
        """An e-mail that the recovered workflow has sent again is counted, not complained of."""
        self.send(mail.outbox[:1])

        self.assertEqual([], self.off())
        self.assertEqual((2, 1), (len(self.read().emails), self.read().email_copies))


class WhenSomethingIsOff(SumsCase):
    def test_order_charged_twice(self):
        """A second charge for an order is noticed, and that the money does not add up."""
        self.ledger.settle(self.ledger.charge("another key", "SO-1", 2460, "EUR"), is_covered=True)

        self.assertIn("no order is charged twice", self.off())
        self.assertIn("charges less refunds are the amounts of the paid orders", self.off())

    def test_wrong_amount(self):
        """A charge of another amount is noticed."""
        Order.objects.filter(pk=self.paid.pk).update(amount="24.61")

        self.assertEqual(["charges less refunds are the amounts of the paid orders"], self.off())

    def test_missing_refund(self):
        """A refunded order without its refund is noticed."""
        self.order("SO-4", state=Order.State.REFUNDED)

        self.assertIn("one refund for each refunded order", self.off())

    def test_lost_reservation(self):
        """A paid order without reservation is noticed, and that the stock does not add up."""
        Reservation.objects.filter(order=self.paid).delete()

        self.assertEqual(
            ["one reservation for each paid order", "stock and reservations add up to the stock at the start"],
            self.off(),
        )

    def test_stock_taken_twice(self):
        """A unit that was taken without a reservation is noticed."""
        Product.objects.get(pk=self.product.pk).take(1)

        self.assertEqual(["stock and reservations add up to the stock at the start"], self.off())

    def test_lost_shipment(self):
        """A paid order without shipment is noticed."""
        Shipment.objects.filter(order=self.paid).delete()

        self.assertEqual(["one shipment for each paid order"], self.off())

    def test_order_that_was_forgotten(self):
        """An order without workflow is noticed."""
        self.order("SO-4")

        self.assertIn("every order has one workflow, and all have ended", self.off())
        self.assertIn("every order is paid, refunded or failed", self.off())

    def test_lost_email(self):
        """A paid order without confirmation is noticed."""
        for path in self.mails.iterdir():
            path.unlink()
        self.send(mail.outbox[:1])

        self.assertEqual(["one confirmation for each paid order"], self.off())

    def test_news_told_twice(self):
        """An entry that stands twice in the stream of an order is noticed."""
        entry = StreamEntry.objects.first()
        entry.pk, entry.offset = None, 99
        entry.save()

        self.assertEqual(["no news told twice in a page"], self.off())

    def test_emails_sent_again_and_again(self):
        """More copies than the killed worker had workflows are noticed."""
        self.send(mail.outbox)

        self.assertEqual(["no e-mail sent again but by a recovered workflow"], self.off())

    def test_nothing_was_recovered(self):
        """A demo in which no worker was killed with a workflow in its hands shows nothing, and is not right."""
        self.crash = Crash("worker-2", (), {}, ())

        self.assertEqual(["every workflow of the killed worker was recovered"], self.off())

    def test_workflow_that_was_not_recovered(self):
        """A workflow that ended in the attempt in which the worker was killed was not recovered."""
        last_attempt = Workflow.objects.get(pk="order-SO-2").attempt
        self.crash = Crash("worker-2", (), {"order-SO-2": last_attempt}, ())

        self.assertEqual(["every workflow of the killed worker was recovered"], self.off())
