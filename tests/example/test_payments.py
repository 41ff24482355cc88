"""The provider's word about a payment comes by webhook, and is asked for when it does not come."""

from unittest import mock

from django.conf import settings

from durable_django.models import Message
from durable_django.testing import crash_after, run_until_idle, travel
from example_project.provider.webhooks import signature_of
from example_project.shop import payments, workflows
from example_project.shop.calls import ProviderUnavailable
from example_project.shop.models import Order, Shipment
from example_project.shop.ordering import start_checkout
from tests.example.shop import ShopCase


def steps_of(handle):
    return [step.name for step in handle.workflow.steps.filter(kind="step").order_by("position")]


class WhenTheWebhookComes(ShopCase):
    def test_checkout_waits_for_it(self):
        """Nothing is sent before the payment is certain; no worker has the workflow in hand meanwhile."""
        order = self.order()
        handle = start_checkout(order)

        run_until_idle()

        self.assertEqual("waiting", handle.refresh().status)
        self.assertFalse(Shipment.objects.exists())
        self.work()
        order.refresh_from_db()
        self.assert_paid(order)
        self.assertNotIn("look_up_charge", steps_of(handle))

    def test_before_it_is_waited_for(self):
        """One that comes while no worker lives, and before its charge is recorded, is there when it is wanted."""
        order = self.order()
        start_checkout(order)
        with crash_after(workflows.charge_card, recorded=False):
            run_until_idle()

        self.assertEqual(204, self.deliver(self.webhooks.pop()).status_code)
        run_until_idle()

        order.refresh_from_db()
        self.assert_paid(order)

    def test_copies(self):
        """However often it comes, early or late, it is one message, and each copy is acknowledged."""
        order = self.order()
        start_checkout(order)
        run_until_idle()
        (webhook,) = self.webhooks

        early = [self.deliver(webhook).status_code for _ in range(3)]
        run_until_idle()
        late = [self.deliver(webhook).status_code for _ in range(3)]

        self.assertEqual([204] * 6, early + late)
        self.assertEqual(1, Message.objects.count())
        order.refresh_from_db()
        self.assert_paid(order)


class WhenNoWebhookComes(ShopCase):
    def setUp(self):
        super().setUp()
        self.waiting = self.order()
        self.handle = start_checkout(self.waiting)

    def test_provider_is_asked(self):
        """After a while the workflow asks, and the order is paid without it."""
        self.lose_webhooks()

        with travel(seconds=workflows.PATIENCE_SECONDS + 1):
            run_until_idle()

        self.waiting.refresh_from_db()
        self.assert_paid(self.waiting)
        self.assertEqual(1, steps_of(self.handle).count("look_up_charge"))

    def test_it_comes_late(self):
        """One that comes when the provider was asked already is acknowledged, and does nothing."""
        run_until_idle()
        with travel(seconds=workflows.PATIENCE_SECONDS + 1):
            run_until_idle()

        self.assertEqual(204, self.deliver(self.webhooks.pop()).status_code)

        self.assertEqual("paid", self.handle.result())
        self.assertFalse(Message.objects.exists())

    def test_bank_never_decides(self):
        """A charge that stays pending is given up in the end, and cancelled at the provider."""
        self.is_deciding = False

        self.check_out(self.waiting)

        reason = "The bank did not decide about the payment in time."
        self.assert_undone(self.waiting, Order.State.FAILED, reason)
        self.assertEqual(workflows.LOOKS, steps_of(self.handle).count("look_up_charge"))
        self.assertEqual("cancelled", payments.state_of("ch_1"))

    def test_provider_cannot_be_asked(self):
        """While it does not answer it is asked again; in the end the order fails, and the goods go back."""
        self.lose_webhooks()

        with mock.patch.object(payments, "state_of", side_effect=ProviderUnavailable("503")):
            self.check_out(self.waiting)

        self.assert_undone(self.waiting, Order.State.REFUNDED, "The payment provider did not answer.")
        self.assertEqual("failed", self.handle.refresh().status)


class WhenSomebodyElseCalls(ShopCase):
    def setUp(self):
        super().setUp()
        start_checkout(self.order())
        run_until_idle()
        (self.webhook,) = self.webhooks

    def test_wrong_signature(self):
        """What the provider has not signed, or has signed otherwise, is refused."""
        forged = self.webhook.replace(b"SO-1", b"SO-2")
        signatures = {
            "none": "",
            "nonsense": "ä",
            "of another body": signature_of(forged, settings.PAYMENT_WEBHOOK_SECRET),
        }

        for what, signature in signatures.items():
            with self.subTest(what):
                answer = self.deliver(self.webhook, **{"Webhook-Signature": signature})

                self.assertEqual(403, answer.status_code)
        self.assertFalse(Message.objects.exists())

    def test_signed_nonsense(self):
        """What is signed but no word about a charge is refused as that."""
        for body in (b"", b"[]", b"not json", b'{"order": "SO-1"}', b"\xff"):
            with self.subTest(body):
                self.assertEqual(400, self.deliver(body).status_code)

    def test_unknown_order(self):
        """The provider is told that there is no such checkout, so that it tries again later."""
        self.order("SO-2")

        for number in (b"SO-2", b"SO-3"):
            with self.subTest(number):
                self.assertEqual(404, self.deliver(self.webhook.replace(b"SO-1", number)).status_code)

    def test_looking(self):
        """A browser finds nothing here."""
        self.assertEqual(405, self.client.get("/webhooks/payments/").status_code)
