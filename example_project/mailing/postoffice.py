"""The mail provider: it takes at most 20 mails in 2 seconds, and is not always well."""

from __future__ import annotations

from durable_django import current_step
from example_project.shop import calls


def post_mail(*, to: str, subject: str) -> str:
    """
    Hand a mail over to the provider and return its id there. Call it from a step, whose key tells copies apart.

    Raises ProviderUnavailable when it is unknown whether the provider has taken it, TooManyRequests when it takes no
    more for the moment.
    """
    running = current_step()
    if running is None:
        message = "A mail needs the idempotency key of a step. Call post_mail() from one."
        raise RuntimeError(message)
    return calls.post("/mails", {"to": to, "subject": subject}, running.idempotency_key)["mail"]
