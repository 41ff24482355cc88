"""
Webhooks: when the bank has decided about a charge, the shop is told by a signed POST.

They are what webhooks are everywhere: one that is not acknowledged comes again, some come twice, some never.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from typing import Self
from urllib.request import ProxyHandler, Request, build_opener

from example_project.provider import faults
from example_project.provider.ledger import Ledger
from example_project.provider.service import Noted

TIMEOUT_SECONDS = 10.0
MOST_AT_ONCE = 64
#: Pauses before the shop is told again after it has not acknowledged.
PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0)

_opener = build_opener(ProxyHandler({}))


class Webhooks:
    """
    Decides about charges, in threads of its own, and tells the shop.

    url       where the shop listens
    secret    what shop and provider alone know
    stopping  set when the provider ends: nothing is delivered any more
    """

    def __init__(self, ledger: Ledger, url: str, secret: str, stopping: threading.Event) -> None:
        self._ledger = ledger
        self._url = url
        self._secret = secret
        self._stopping = stopping
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._threads.shutdown()

    def confirm(self, noted: Noted) -> None:
        """Decide about a charge in a moment; asked again, it only tells the shop again."""
        self._threads.submit(self._confirm, noted)

    def _confirm(self, noted: Noted) -> None:
        if self._stopping.wait(faults.decision_seconds(noted.key)):
            return
        body = body_of(noted, self._ledger.settle(noted.charge, is_covered=noted.is_covered))
        for _delivery in range(faults.deliveries_of(noted.key)):
            self._deliver(body)

    def _deliver(self, body: bytes) -> None:
        for pause in PAUSES_SECONDS:
            if self._stopping.wait(pause):
                return
            # Whatever is no 2xx is an HTTPError, which is an OSError.
            with suppress(OSError, HTTPException):
                self._post(body)
                return

    def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "Webhook-Signature": signature_of(body, self._secret)}
        request = Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310 - given by the operator
        _opener.open(request, timeout=TIMEOUT_SECONDS).close()


def body_of(noted: Noted, state: str) -> bytes:
    """Return what the shop is told; the id is the same in every copy."""
    return json.dumps({"id": f"{noted.charge}-{state}", "order": noted.order, "state": state}).encode()


def signature_of(body: bytes, secret: str) -> str:
    """Return what only somebody who knows the secret can make of this body: HMAC-SHA256, in hexadecimal digits."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
