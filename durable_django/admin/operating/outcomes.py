"""Outcomes: what became of the rows that were chosen, said to the operator as it is."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext

from durable_django.admin.operating.acting import Order


def tell(admin: Any, request: HttpRequest, order: Order) -> None:
    """Say how many were changed, how many stayed as they were and why."""
    if order.is_repeated:
        said = gettext("This was done already: the form had been sent before. Nothing was changed again.")
        admin.message_user(request, said, messages.WARNING)
        return
    for error in order.errors:
        admin.message_user(request, error, messages.ERROR)
    if order.changed or not order.errors:
        level = messages.SUCCESS if order.changed and not order.left else messages.WARNING
        admin.message_user(request, " ".join(_sentences(order)), level)


def _sentences(order: Order) -> list[str]:
    said = [str(order.verb.done % {"n": order.changed})]
    if order.below:
        below = ngettext("Below it, %(n)d other one, too.", "Below, %(n)d other ones, too.", order.below)
        said.append(below % {"n": order.below})
    if order.left and order.verb.left and not order.errors:
        said.append(str(order.verb.left % {"n": order.left}))
    return said
