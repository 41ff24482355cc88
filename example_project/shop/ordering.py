"""Start the checkout of orders."""

from __future__ import annotations

from django.db import transaction

from durable_django import WorkflowHandle
from example_project.shop.models import Order
from example_project.shop.workflows import checkout


def start_checkout(order: Order) -> WorkflowHandle[str]:
    """
    Start the checkout of an order.

    The mark on the order and the workflow are written in one transaction: both are there, or none. A second call
    returns the handle of the first, because the id of the workflow is the order's.
    """
    with transaction.atomic():
        handle = checkout.using(id=order.workflow_id, attributes={"order": order.number}).start(order.number)
        Order.objects.filter(pk=order.pk).begin_checkout()
    return handle


def start_pending_checkouts() -> int:
    """
    Start the checkout of every imported order, all or none. Return how many that were.

    Called twice at the same time it still starts each checkout once.
    """
    with transaction.atomic():
        pending = list(Order.objects.imported())
        for order in pending:
            start_checkout(order)
    return len(pending)
