"""
Calls to the provider over HTTP, with a short timeout.

A call that got no answer may have been carried out all the same. Only the idempotency key makes it safe to call again.
"""

from __future__ import annotations

import json
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from django.conf import settings

SERVER_ERROR = 500
TOO_MANY_REQUESTS = 429

# The provider of this example listens on this machine: whatever proxy the environment names is not asked.
_opener = build_opener(ProxyHandler({}))


class ProviderUnavailable(Exception):
    """No connection, no answer in time, or an answer of the 5xx kind: worth another try."""


class TooManyRequests(ProviderUnavailable):
    """The provider takes no more for the moment: worth another try, a little later."""


def get(path: str) -> dict[str, str]:
    """Return the provider's answer. Raises ProviderUnavailable, or ValueError for what it refuses."""
    return _open(Request(settings.PAYMENT_PROVIDER_URL + path))  # noqa: S310 - the address is a setting


def post(path: str, fields: dict[str, str], idempotency_key: str) -> dict[str, str]:
    """Send JSON and return the answer. Raises ProviderUnavailable, or ValueError for what the provider refuses."""
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
    if error.code == TOO_MANY_REQUESTS:
        return TooManyRequests(text)
    if error.code >= SERVER_ERROR:
        return ProviderUnavailable(text)
    return ValueError(f"The provider refused the request: {text}")
