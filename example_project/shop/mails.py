"""The e-mails of the shop."""

from __future__ import annotations

import uuid

from django.core.mail import EmailMessage

from example_project.shop.models import Order

BODY = """Dear {order.customer},

thank you: {order.quantity} x {order.product} are on their way to

{order.address}

We charged {order.amount} {order.currency}.
"""


def confirmation(order: Order, *, idempotency_key: str) -> EmailMessage:
    """Return the confirmation of an order; a second copy can be told, and dropped, by its Message-ID."""
    message_id = f"<{uuid.uuid5(uuid.NAMESPACE_URL, idempotency_key)}@shop.example>"
    return EmailMessage(
        subject=f"Your order {order.number}",
        body=BODY.format(order=order),
        to=[order.email],
        headers={"Message-ID": message_id},
    )
