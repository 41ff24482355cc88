"""The payment provider takes each charge once, and fails in ways that can be foretold."""

from decimal import Decimal
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings
from django.test import SimpleTestCase, override_settings

from durable_django.testing import travel
from example_project.provider import faults
from example_project.provider.faults import Behaviour
from example_project.provider.ledger import MAIL_SECONDS, MOST_MAILS, Ledger
from example_project.shop import calls, payments
from example_project.shop.calls import ProviderUnavailable, TooManyRequests
from tests.example.processes import CommandCase
from tests.example.provider import ProviderMixin


def charge(key="key-1", *, order="SO-1", amount="12.30", card="tok_visa"):
    return payments.charge(order=order, amount=Decimal(amount), currency="EUR", card=card, idempotency_key=key)


class Charges(ProviderMixin):
    def test_same_key(self):
        """A second request with the same key returns the first charge."""
        self.assertEqual(charge(), charge())
        self.assertEqual((1, 1230, 0), self.sums("charges", "charged_cents", "charged_twice"))

    def test_another_key(self):
        """Two keys are two charges, even for one order: the ledger shows it."""
        self.assertNotEqual(charge("key-1"), charge("key-2"))
        self.assertEqual((2, 1), self.sums("charges", "charged_twice"))

    def test_key_of_another_charge(self):
        """A key that comes with another amount is refused."""
        charge()

        with self.assertRaisesMessage(ValueError, "422"):
            charge(amount="99.00")

    def test_declined_card(self):
        """A declined card is not charged, which the provider tells later."""
        charge_id = charge(card="tok_declined")

        self.assertEqual("declined", payments.state_of(charge_id))
        self.assertEqual((0,), self.sums("charges"))

    def test_unavailable(self):
        """A 503 charges nothing and is worth a retry."""
        self.fail_first(Behaviour.UNAVAILABLE)

        with self.assertRaisesMessage(ProviderUnavailable, "503"):
            charge()
        self.assertEqual((0,), self.sums("charges"))
        self.assertTrue(charge())

    def test_late_answer(self):
        """A charge whose answer comes too late is made; asking again finds it."""
        self.fail_first(Behaviour.LATE)

        with self.assertRaises(ProviderUnavailable):
            charge()
        charge()

        self.assertEqual((1, 0), self.sums("charges", "charged_twice"))

    def sums(self, *names):
        return tuple(getattr(self.ledger.sums(), name) for name in names)


class Mails(ProviderMixin):
    def post(self, key, subject="News"):
        return calls.post("/mails", {"to": "zoe@mail.example", "subject": subject}, key)["mail"]

    def test_same_key(self):
        """A mail that comes again with its key is taken once."""
        self.assertEqual(self.post("key-1"), self.post("key-1"))
        self.assertEqual(["zoe@mail.example"], [recipient for recipient, _subject, _moment in self.ledger.mails()])

    def test_too_many(self):
        """Beyond its limit the provider takes none, until the window has moved on; known ones are still found."""
        for number in range(MOST_MAILS):
            self.post(f"key-{number}")

        with self.assertRaisesMessage(TooManyRequests, "At most 20 mails in 2 seconds."):
            self.post("one-more")
        self.assertEqual("ml_1", self.post("key-0"))
        with travel(seconds=MAIL_SECONDS + 1):
            self.post("one-more")

        self.assertEqual(MOST_MAILS + 1, len(self.ledger.mails()))


class Refunds(ProviderMixin):
    def test_charged_order(self):
        """What was charged is given back, once, however often it is asked for."""
        charge()

        refunds = [payments.refund(order="SO-1", idempotency_key=key) for key in ("key-2", "key-2", "key-3")]

        self.assertEqual([Decimal("12.30")] * 3, refunds)
        self.assertEqual((1, 1230), (self.ledger.sums().refunds, self.ledger.sums().refunded_cents))

    def test_order_that_was_not_charged(self):
        """There is nothing to give back, but a charge that comes later is refused."""
        self.assertEqual(Decimal(0), payments.refund(order="SO-1", idempotency_key="key-1"))

        with self.assertRaisesMessage(ValueError, "409"):
            charge()
        self.assertEqual(0, self.ledger.sums().refunds)


class BadRequests(ProviderMixin):
    def test_requests_that_say_too_little(self):
        """A request without a key, fields, a number or JSON is refused with 400; an unknown address with 404."""
        cases = [
            ("/charges", b"{}", "", 400),
            ("/charges", b"{}", "key", 400),
            ("/charges", b'{"order": "1", "amount": "much", "currency": "EUR", "card": "tok_visa"}', "key", 400),
            ("/charges", b"[1]", "key", 400),
            ("/charges", b"not json", "key", 400),
            ("/elsewhere", b"{}", "key", 404),
        ]
        for path, body, key, status in cases:
            with self.subTest(path=path, body=body, key=key):
                self.assertEqual(status, self.post(path, body, key))

    def post(self, path, body, key):
        request = Request(settings.PAYMENT_PROVIDER_URL + path, body, {"Idempotency-Key": key})
        try:
            build_opener(ProxyHandler({})).open(request).close()
        except HTTPError as error:
            with error:
                return error.code
        return 200


class NoProvider(SimpleTestCase):
    @override_settings(PAYMENT_PROVIDER_URL="http://127.0.0.1:1", PAYMENT_TIMEOUT_SECONDS=1)
    def test_nobody_listens(self):
        """Without a connection the error is one that is worth a retry."""
        with self.assertRaises(ProviderUnavailable):
            charge()


class Faults(SimpleTestCase):
    def test_same_request_same_fault(self):
        """What happens to a request follows from its key and number alone."""
        requests = [(f"key-{n}", 1 + n % 3) for n in range(100)]

        self.assertEqual(
            [faults.behaviour_of(*request) for request in requests],
            [faults.behaviour_of(*request) for request in requests],
        )

    def test_shares(self):
        """About one request in eight fails, one in twelve is late."""
        found = [faults.behaviour_of(f"key-{n}", 1) for n in range(5000)]

        self.assertAlmostEqual(faults.UNAVAILABLE_SHARE, found.count(Behaviour.UNAVAILABLE) / 5000, delta=0.02)
        self.assertAlmostEqual(faults.LATE_SHARE, found.count(Behaviour.LATE) / 5000, delta=0.02)

    def test_latency(self):
        """Every request takes between the shortest and the longest time."""
        for n in range(100):
            self.assertTrue(faults.SHORTEST_SECONDS <= faults.latency_seconds("key", n) <= faults.LONGEST_SECONDS)


class TheProcess(CommandCase):
    def test_end(self):
        """Terminated while an answer is late, it answers at once, and ends with its ledger in order."""
        key = next(key for key in map(str, range(1000)) if faults.behaviour_of(key, 1) is Behaviour.LATE)
        provider = self.start("paymentprovider", "--port", "0")
        url = self.wait_for_output(r"http://\S+")[0]

        with override_settings(PAYMENT_PROVIDER_URL=url, PAYMENT_TIMEOUT_SECONDS=0.5):
            with self.assertRaises(ProviderUnavailable):
                charge(key)
            provider.terminate()
            self.assert_ends(provider, code=0)

        with Ledger(self.folder / "demo.provider.sqlite3") as ledger:
            self.assertEqual(1, ledger.sums().charges)
        self.assertNotIn("Traceback", self.output())
