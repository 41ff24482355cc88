"""The provider tells the shop what became of a charge: signed, again and again until it is acknowledged."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.test import SimpleTestCase, override_settings

from example_project.provider import faults
from example_project.provider.ledger import Ledger
from example_project.provider.service import Noted
from example_project.provider.webhooks import Webhooks, signature_of
from example_project.shop.payments import is_signed

SECRET = "known to two"


def key_with(deliveries):
    """Return a key whose webhook is delivered so often."""
    return next(key for key in map(str, range(1000)) if faults.deliveries_of(key) == deliveries)


class Shop(ThreadingHTTPServer):
    """Takes down what it is told; refuses as often as it was asked to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusals = 0
        self.heard = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((body, self.headers["Webhook-Signature"]))
        self.send_response(204 if len(self.server.heard) > self.server.refusals else 500)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


class WebhooksCase(SimpleTestCase):
    def setUp(self):
        self.shop = Shop()
        thread = threading.Thread(target=self.shop.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.ledger = Ledger(":memory:")
        for undo in (self.ledger.close, self.shop.server_close, thread.join, self.shop.shutdown):
            self.addCleanup(undo)

    def confirm(self, key, *, is_covered=True, stopping=None):
        """Note a charge and let the bank decide; return what the shop has heard when all is done."""
        charge = self.ledger.charge(key, "SO-1", 1230, "EUR")
        with Webhooks(self.ledger, self.shop.url, SECRET, stopping or threading.Event()) as webhooks:
            webhooks.confirm(Noted(charge, "SO-1", key, is_covered))
        return self.shop.heard


class WhatTheShopHears(WebhooksCase):
    def test_payment(self):
        """The money is taken, and the shop is told so, with a signature that it can check."""
        ((body, signature),) = self.confirm(key_with(1))

        self.assertEqual({"id": "ch_1-succeeded", "order": "SO-1", "state": "succeeded"}, json.loads(body))
        self.assertEqual(1, self.ledger.sums().charges)
        with override_settings(PAYMENT_WEBHOOK_SECRET=SECRET):
            self.assertTrue(is_signed(body, signature))
            self.assertFalse(is_signed(body, signature_of(body, "a guess")))

    def test_declined_card(self):
        """No money is taken, and the shop is told so."""
        ((body, _signature),) = self.confirm(key_with(1), is_covered=False)

        self.assertEqual(("declined", 0), (json.loads(body)["state"], self.ledger.sums().charges))

    def test_two_copies(self):
        """Some webhooks come twice, with the same id."""
        first, second = self.confirm(key_with(2))

        self.assertEqual(first, second)

    def test_none(self):
        """Some never come, though the money is taken."""
        self.assertEqual([], self.confirm(key_with(0)))
        self.assertEqual(1, self.ledger.sums().charges)

    def test_not_acknowledged(self):
        """What the shop does not acknowledge it is told again."""
        self.shop.refusals = 1

        self.assertEqual(2, len(self.confirm(key_with(1))))

    def test_end_of_the_provider(self):
        """A provider that is being stopped decides nothing more and tells nothing."""
        stopping = threading.Event()
        stopping.set()

        self.assertEqual([], self.confirm(key_with(1), stopping=stopping))
        self.assertEqual("pending", self.ledger.state_of("ch_1"))


class WhatIsRefunded(WebhooksCase):
    def test_charge_that_is_not_decided(self):
        """It is cancelled: nothing is given back, and nothing is taken later."""
        charge = self.ledger.charge("key", "SO-1", 1230, "EUR")

        self.assertEqual(0, self.ledger.refund("SO-1"))

        self.assertEqual("cancelled", self.ledger.settle(charge, is_covered=True))
        self.assertEqual(0, self.ledger.sums().charges)


class Faults(SimpleTestCase):
    def test_shares(self):
        """About one webhook in twelve never comes, one in ten comes twice."""
        found = [faults.deliveries_of(f"key-{n}") for n in range(5000)]

        self.assertAlmostEqual(faults.LOST_SHARE, found.count(0) / 5000, delta=0.02)
        self.assertAlmostEqual(faults.DOUBLED_SHARE, found.count(2) / 5000, delta=0.02)
