"""
The shop's side of the payment provider: two calls over HTTP, with a short timeout and an idempotency key.

A call that got no answer may have been carried out all the same. Only the idempotency key makes it safe to call again.
"""

from __future__ import annotations

import json
from decimal import Decimal
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings

from example_project.shop.refusals import CardDeclined

PAYMENT_REQUIRED = 402
SERVER_ERROR = 500

# The provider of this example listens on this machine: whatever proxy the environment names is not asked.
_opener = build_opener(ProxyHandler({}))


class ProviderUnavailable(Exception):
    """No connection, no answer in time, or an answer of the 5xx kind: worth another try."""


def charge(*, order: str, amount: Decimal, currency: str, card: str, idempotency_key: str) -> str:
    """
    Charge a card and return the id of the charge.

    Raises CardDeclined, or ProviderUnavailable when it is unknown whether the card was charged.
    """
    fields = {"order": order, "amount": str(amount), "currency": currency, "card": card}
    return _post("/charges", fields, idempotency_key)["charge"]


def refund(*, order: str, idempotency_key: str) -> Decimal:
    """
    Give back whatever was charged for an order and let no later charge through. Return the amount, 0 if none was.

    Raises ProviderUnavailable when it is unknown whether the refund was made.
    """
    return Decimal(_post("/refunds", {"order": order}, idempotency_key)["refunded"])


def _post(path: str, fields: dict[str, str], idempotency_key: str) -> dict[str, str]:
    request = Request(  # noqa: S310 - the address is a setting
        settings.PAYMENT_PROVIDER_URL + path,
        data=json.dumps(fields).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": idempotency_key},
        method="POST",
    )
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
    if error.code == PAYMENT_REQUIRED:
        return CardDeclined("The card was declined.")
    if error.code >= SERVER_ERROR:
        return ProviderUnavailable(text)
    return ValueError(f"The provider refused the request: {text}")
