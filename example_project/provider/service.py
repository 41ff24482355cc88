"""What the provider answers to a request, faults included; knows nothing of HTTP beyond the status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from example_project.provider import faults
from example_project.provider.faults import Behaviour
from example_project.provider.ledger import (
    MAIL_SECONDS,
    MOST_MAILS,
    PENDING,
    KeyReused,
    Ledger,
    OrderClosed,
    TooManyMails,
)

#: Cards for trying things out, as every provider has them. Any other card is good.
DECLINED_CARD = "tok_declined"
ISSUER_DOWN_CARD = "tok_issuer_down"


@dataclass(frozen=True)
class Reply:
    """Status and JSON body of an answer."""

    status: int
    body: Mapping[str, str]


@dataclass(frozen=True)
class Noted:
    """A charge about which the bank has yet to decide."""

    charge: str
    order: str
    key: str
    is_covered: bool


@dataclass(frozen=True)
class Service:
    """
    The provider itself.

    behaviour  how request number n with a key fares
    latency    how long it takes, in seconds
    late       how long a late answer is late, in seconds
    confirm    takes every charge that was noted, to decide about it later
    now        the clock by which mails are counted, in seconds
    """

    ledger: Ledger
    confirm: Callable[[Noted], object]
    behaviour: Callable[[str, int], Behaviour] = faults.behaviour_of
    latency: Callable[[str, int], float] = faults.latency_seconds
    late: float = faults.LATE_SECONDS
    sleep: Callable[[float], object] = time.sleep
    now: Callable[[], float] = time.time

    def answer(self, path: str, key: str, payload: Mapping[str, Any]) -> Reply:
        """Return the answer to a POST, after the time it takes."""
        if not key:
            return Reply(400, {"error": "An Idempotency-Key header is required."})
        attempt = self.ledger.count_request(key)
        behaviour = self.behaviour(key, attempt)
        self.sleep(self.latency(key, attempt))
        if behaviour is Behaviour.UNAVAILABLE:
            return Reply(503, {"error": "Try again later."})
        reply = self._route(path, key, payload)
        if behaviour is Behaviour.LATE:
            self.sleep(self.late)
        return reply

    def look_up(self, path: str) -> Reply:
        """Return the answer to a GET: what has become of a charge."""
        try:
            return Reply(200, {"state": self.ledger.state_of(path.removeprefix("/charges/"))})
        except LookupError:
            return Reply(404, {"error": f"There is nothing at {path}."})

    def _route(self, path: str, key: str, payload: Mapping[str, Any]) -> Reply:
        try:
            if path == "/charges":
                return self._charge(key, payload)
            if path == "/refunds":
                return self._refund(payload)
            if path == "/mails":
                return self._mail(key, payload)
        except KeyError as missing:
            return Reply(400, {"error": f"The field {missing} is required."})
        except InvalidOperation:
            return Reply(400, {"error": "The amount is not a number."})
        return Reply(404, {"error": f"There is nothing at {path}."})

    def _charge(self, key: str, payload: Mapping[str, Any]) -> Reply:
        if payload["card"] == ISSUER_DOWN_CARD:
            return Reply(503, {"error": "The bank of this card does not answer."})
        order = str(payload["order"])
        try:
            charge_id = self.ledger.charge(key, order, _to_cents(payload["amount"]), str(payload["currency"]))
        except KeyReused:
            return Reply(422, {"error": "This Idempotency-Key was used for another charge."})
        except OrderClosed:
            return Reply(409, {"error": "This order was refunded or given up."})
        self.confirm(Noted(charge_id, order, key, is_covered=payload["card"] != DECLINED_CARD))
        return Reply(202, {"charge": charge_id, "state": PENDING})

    def _refund(self, payload: Mapping[str, Any]) -> Reply:
        return Reply(200, {"refunded": _from_cents(self.ledger.refund(str(payload["order"])))})

    def _mail(self, key: str, payload: Mapping[str, Any]) -> Reply:
        recipient, subject = str(payload["to"]), str(payload["subject"])
        try:
            return Reply(202, {"mail": self.ledger.accept_mail(key, recipient, subject, self.now())})
        except TooManyMails:
            return Reply(429, {"error": f"At most {MOST_MAILS} mails in {MAIL_SECONDS:g} seconds."})


def _to_cents(amount: object) -> int:
    return int((Decimal(str(amount)) * 100).to_integral_exact())


def _from_cents(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))
