"""The shop's side of the payment provider: what it asks for, and the signature of what it is sent."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal

from django.conf import settings
from django.utils.crypto import constant_time_compare

from example_project.shop import calls


def charge(*, order: str, amount: Decimal, currency: str, card: str, idempotency_key: str) -> str:
    """
    Ask the provider to charge a card and return the id of the charge. What becomes of it, the provider tells later.

    Raises ProviderUnavailable when it is unknown whether the provider has taken note of it.
    """
    fields = {"order": order, "amount": str(amount), "currency": currency, "card": card}
    return calls.post("/charges", fields, idempotency_key)["charge"]


def state_of(charge_id: str) -> str:
    """
    Return what has become of a charge: "pending", "succeeded", "declined" or "cancelled".

    Raises ProviderUnavailable.
    """
    return calls.get(f"/charges/{charge_id}")["state"]


def refund(*, order: str, idempotency_key: str) -> Decimal:
    """
    Give back whatever was charged for an order and let no later charge through. Return the amount, 0 if none was.

    Raises ProviderUnavailable when it is unknown whether the refund was made.
    """
    return Decimal(calls.post("/refunds", {"order": order}, idempotency_key)["refunded"])


def is_signed(body: bytes, signature: str) -> bool:
    """Whether the provider has sent this: only it and the shop know the secret with which it was signed."""
    expected = hmac.new(settings.PAYMENT_WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return constant_time_compare(expected, signature)
