"""
The shop's side of the payment provider: calls over HTTP, with a short timeout, and the signature of what it sends.

A call that got no answer may have been carried out all the same. Only the idempotency key makes it safe to call again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings
from django.utils.crypto import constant_time_compare

SERVER_ERROR = 500

# The provider of this example listens on this machine: whatever proxy the environment names is not asked.
_opener = build_opener(ProxyHandler({}))


class ProviderUnavailable(Exception):
    """No connection, no answer in time, or an answer of the 5xx kind: worth another try."""


def charge(*, order: str, amount: Decimal, currency: str, card: str, idempotency_key: str) -> str:
    """
    Ask the provider to charge a card and return the id of the charge. What becomes of it, the provider tells later.

    Raises ProviderUnavailable when it is unknown whether the provider has taken note of it.
    """
    fields = {"order": order, "amount": str(amount), "currency": currency, "card": card}
    return _post("/charges", fields, idempotency_key)["charge"]


def state_of(charge_id: str) -> str:
    """
    Return what has become of a charge: "pending", "succeeded", "declined" or "cancelled".

    Raises ProviderUnavailable.
    """
    return _open(Request(f"{settings.PAYMENT_PROVIDER_URL}/charges/{charge_id}"))["state"]  # noqa: S310 - a setting


def refund(*, order: str, idempotency_key: str) -> Decimal:
    """
    Give back whatever was charged for an order and let no later charge through. Return the amount, 0 if none was.

    Raises ProviderUnavailable when it is unknown whether the refund was made.
    """
    return Decimal(_post("/refunds", {"order": order}, idempotency_key)["refunded"])


def is_signed(body: bytes, signature: str) -> bool:
    """Whether the provider has sent this: only it and the shop know the secret with which it was signed."""
    expected = hmac.new(settings.PAYMENT_WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return constant_time_compare(expected, signature)


def _post(path: str, fields: dict[str, str], idempotency_key: str) -> dict[str, str]:
    request = Request(  # noqa: S310 - the address is a setting
        settings.PAYMENT_PROVIDER_URL + path,
        data=json.dumps(fields).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": idempotency_key},
        method="POST",
    )
    return _open(request)


def _open(request: Request) -> dict[str, str]:
    try:
        with _opener.open(request, timeout=settings.PAYMENT_TIMEOUT_SECONDS) as response:
            answer: dict[str, str] = json.load(response)
            return answer
    except HTTPError as error:
        with error:
            raise _error_for(error) from error
    except (OSError, HTTPException) as error:
        raise ProviderUnavailable(str(error)) from error


def _error_for(error: HTTPError) -> Exception:
    text = f"{error.code} {error.read().decode(errors='replace')}"
    if error.code >= SERVER_ERROR:
        return ProviderUnavailable(text)
    return ValueError(f"The provider refused the request: {text}")
