"""Start the checkout of orders."""

from __future__ import annotations

from django.db import transaction

from durable_django import WorkflowHandle
from example_project.shop.models import Order
from example_project.shop.workflows import checkout


def start_checkout(order: Order) -> WorkflowHandle[str]:
    """Start the checkout of an order; a second call returns the handle of the first, because the id is the order's."""
    return checkout.using(id=order.workflow_id, attributes={"order": order.number}).start(order.number)


def start_pending_checkouts() -> int:
    """
    Start the checkout of every imported order and return how many that were.

    Orders and workflows are written in one transaction: either every order is marked and has its workflow, or nothing
    has happened. Called twice at the same time it still starts each checkout once.
    """
    with transaction.atomic():
        pending = list(Order.objects.imported())
        for order in pending:
            start_checkout(order)
        Order.objects.filter(pk__in=[order.pk for order in pending]).begin_checkout()
    return len(pending)
