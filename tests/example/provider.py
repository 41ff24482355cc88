"""A payment provider for tests: over HTTP, in a thread, failing only as a test says."""

import threading
import time
from collections.abc import Callable

from django.test import SimpleTestCase, override_settings

from durable_django.base import clock
from example_project.provider.faults import Behaviour
from example_project.provider.ledger import Ledger
from example_project.provider.server import ProviderServer
from example_project.provider.service import Noted, Service
from example_project.provider.webhooks import body_of

TIMEOUT_SECONDS = 0.25


class ProviderMixin(SimpleTestCase):
    """
    Gives every test a provider of its own as `self.ledger`, and points the shop's client at it.

    The bank decides at once. What the shop is to be told is kept in `self.webhooks`, until a test delivers it.
    """

    def setUp(self):
        super().setUp()
        self.ledger = Ledger(":memory:")
        self.addCleanup(self.ledger.close)
        self.requests: list[tuple[str, int]] = []
        self.webhooks: list[bytes] = []
        self.is_deciding = True
        self.behaviour: Callable[[str, int], Behaviour] = lambda _key, _attempt: Behaviour.ANSWER
        self.hung_up = threading.Event()
        self.start_server()

    def start_server(self):
        service = Service(
            self.ledger, self.confirm, behaviour=self.behave, latency=lambda *_: 0, sleep=self.sleep, now=self.now
        )
        server = ProviderServer(service)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings = override_settings(PAYMENT_PROVIDER_URL=server.url, PAYMENT_TIMEOUT_SECONDS=TIMEOUT_SECONDS)
        settings.enable()
        for undo in (server.server_close, thread.join, server.shutdown, self.hung_up.set, settings.disable):
            self.addCleanup(undo)

    def confirm(self, noted: Noted) -> None:
        if self.is_deciding:
            state = self.ledger.settle(noted.charge, is_covered=noted.is_covered)
            self.webhooks.append(body_of(noted, state))

    def behave(self, key: str, attempt: int) -> Behaviour:
        self.requests.append((key, attempt))
        return self.behaviour(key, attempt)

    def now(self) -> float:
        return time.time() + clock.shift_seconds()

    def sleep(self, seconds: float) -> None:
        # A late answer comes when the test is over, which is later than any client waits.
        if seconds:
            self.hung_up.wait()

    def fail_first(self, behaviour: Behaviour, times: int = 1) -> None:
        """Let the first requests with each key go wrong in this way."""
        self.behaviour = lambda _key, attempt: behaviour if attempt <= times else Behaviour.ANSWER
