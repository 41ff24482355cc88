"""What the payment provider calls: a signed word about a charge, passed on to the checkout that waits for it."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden, HttpResponseNotFound
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from durable_django import WorkflowFinished, WorkflowNotFound, send
from example_project.shop.models import Order
from example_project.shop.payments import is_signed


# Exempt: the provider has no page of this site from which it could take a token. Its signature says who it is.
@csrf_exempt
@require_POST
def payment(request: HttpRequest) -> HttpResponse:
    """
    Send the provider's word to the order's workflow, and acknowledge it.

    Providers send it again until it is acknowledged, and at times after that. The key makes one message of all copies.
    """
    if not is_signed(request.body, request.headers.get("Webhook-Signature", "")):
        return HttpResponseForbidden("The signature is wrong.")
    try:
        word = json.loads(request.body)
        number, state, key = str(word["order"]), str(word["state"]), str(word["id"])
    except (ValueError, TypeError, KeyError):
        return HttpResponseBadRequest("That is no word about a charge.")
    order = get_object_or_404(Order, number=number)
    try:
        send(order.workflow_id, state, topic="payment", idempotency_key=key)
    except WorkflowFinished:
        # It had asked the provider itself, or given up. A copy of an old word ends here, too.
        return HttpResponse(status=204)
    except WorkflowNotFound:
        return HttpResponseNotFound("There is no checkout of this order.")
    return HttpResponse(status=204)
