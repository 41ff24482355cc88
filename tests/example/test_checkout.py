"""A checkout ends with the order paid, or with everything given back."""

from smtplib import SMTPServerDisconnected
from unittest import mock

from django.core import mail
from django.core.mail import EmailMessage

from durable_django import current_step
from durable_django.exceptions import RetriesExhausted
from durable_django.models import Workflow
from example_project.provider.faults import Behaviour
from example_project.shop import payments
from example_project.shop.models import Order, Product
from example_project.shop.ordering import start_checkout, start_pending_checkouts
from example_project.shop.workflows import charge_card
from tests.example.shop import ShopCase


class WhenAllGoesWell(ShopCase):
    def test_order_is_paid(self):
        """Goods are reserved, the card is charged once, the parcel leaves, the customer is told."""
        order = self.order()

        handle = self.check_out(order)

        self.assertEqual("paid", handle.result())
        self.assert_paid(order)
        self.assertEqual("ch_1", order.charge_id)
        self.assertEqual(self.product.stock - 2, Product.objects.get(pk=self.product.pk).stock)
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
        self.work()

        self.assertEqual({"paid": 3}, Order.objects.count_by_state())

    def test_started_order_is_pending_no_more(self):
        """The mark on the order and its workflow are written together."""
        order = self.order()

        start_checkout(order)

        self.assertEqual({"checkout": 1}, Order.objects.count_by_state())
        self.assertEqual(0, start_pending_checkouts())


class WhenTheProviderFails(ShopCase):
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
        self.assert_undone(order, Order.State.FAILED, "The payment provider did not answer.")
        self.assertIn("charge_card", handle.refresh().workflow.error)

    def test_it_charged_without_ever_answering(self):
        """Nobody here knows of the charge; it is given back all the same."""
        self.behaviour = lambda key, _attempt: Behaviour.LATE if key == self.requests[0][0] else Behaviour.ANSWER
        order = self.order()

        self.check_out(order)

        self.assert_undone(order, Order.State.REFUNDED, "The payment provider did not answer.")
        self.assertEqual((1, 1), (self.ledger.sums().charges, self.ledger.sums().refunds))


class WhenTheOrderIsRefused(ShopCase):
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

    def test_last_unit_is_sold_once(self):
        """Of two orders for the last units one is paid, and the other is told that there are too few."""
        first, second = self.order("SO-1", quantity=400), self.order("SO-2", quantity=400)

        self.check_out(first)
        self.check_out(second)

        self.assert_paid(first)
        self.assertEqual((Order.State.FAILED, 0), (second.state, len(self.mails_for(second))))
        self.assertEqual(200, Product.objects.get(pk=self.product.pk).stock)


class WhenTheMailServerFails(ShopCase):
    def test_it_is_asked_again(self):
        """The order stays paid, and the confirmation leaves when the server is back."""
        order = self.order()
        send = EmailMessage.send
        answers = [SMTPServerDisconnected("gone"), ConnectionRefusedError("gone")]

        def send_later(message):
            if answers:
                raise answers.pop()
            return send(message)

        with mock.patch.object(EmailMessage, "send", send_later):
            self.check_out(order)

        self.assert_paid(order)
        self.assertEqual(1, len(mail.outbox))


class WhenTheCodeIsWrong(ShopCase):
    def test_nothing_is_undone(self):
        """A mistake is no refusal: the workflow fails where it stands, and goes on there once it is mended."""
        order = self.order()
        with mock.patch.object(payments, "charge", side_effect=TypeError("a mistake")):
            handle = self.check_out(order)
        self.assertEqual(("failed", Order.State.CHECKOUT), (handle.status, order.state))

        handle.workflow.resume()
        self.work()

        order.refresh_from_db()
        self.assert_paid(order)
        self.assertEqual(self.product.stock - 2, Product.objects.get(pk=self.product.pk).stock)


class OutsideOfAWorkflow(ShopCase):
    def test_a_step_that_charges_is_refused(self):
        """Called as an ordinary function nothing would keep it from charging twice, so it does not charge at all."""
        order = self.order()

        with self.assertRaisesMessage(RuntimeError, "Call it from a workflow"):
            charge_card(order.number)

        self.assertIsNone(current_step())
        self.assertEqual(0, self.ledger.sums().charges)
