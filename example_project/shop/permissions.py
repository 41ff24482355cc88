"""Who may follow which stream: asked by the view of durable_django.urls, which refuses whatever this does not allow."""

from __future__ import annotations

from django.http import HttpRequest

from example_project.shop.models import Order


def may_read_stream(_request: HttpRequest, workflow_id: str, key: str) -> bool:
    """
    Whether a browser may read a stream: the progress of an order, and nothing else.

    Whoever may see the page of an order may follow its progress. The pages of this shop are open to all; one with
    customers that log in filters by `customer=request.user` here too.
    """
    return key == "progress" and Order.objects.filter(workflow_id=workflow_id).exists()
