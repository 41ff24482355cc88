"""The shop's pages: the orders with the state of their checkout, one order with its steps, and the buttons."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_POST, require_safe

from durable_django import get_event
from durable_django.models import Workflow
from example_project.shop.catalogue import load_products
from example_project.shop.importing import import_orders
from example_project.shop.models import Order
from example_project.shop.ordering import start_checkout, start_pending_checkouts
from example_project.shop.timeline import timeline

PAGE_SIZE = 25


@require_safe
def order_list(request: HttpRequest) -> HttpResponse:
    """Show a page of orders, all or those of `?state=`, in two queries: the counts, the orders with their workflows."""
    counts = Order.objects.count_by_state()
    state = request.GET.get("state", "")
    context = {
        "page": _page(request.GET.get("page"), state, counts),
        "state": state,
        "states": [(value, label, counts.get(value, 0)) for value, label in Order.State.choices],
        "total": sum(counts.values()),
        "pending": counts.get(Order.State.IMPORTED, 0),
        "is_busy": bool(counts.get(Order.State.CHECKOUT)),
    }
    return render(request, "shop/orders.html", context)


def _page(number: str | None, state: str, counts: dict[str, int]) -> Page[Order]:
    orders = Order.objects.with_workflow_status().select_related("product")
    if state:
        orders = orders.filter(state=state)
    paginator = Paginator(orders, PAGE_SIZE)
    # Counted by state already; setting the cached property saves the paginator's own query.
    paginator.count = counts.get(state, 0) if state else sum(counts.values())
    return paginator.get_page(number)


@require_safe
def order_detail(request: HttpRequest, number: str) -> HttpResponse:
    """Show an order with the steps of its workflow and its latest news, in five queries; the browser follows on."""
    order = get_object_or_404(Order.objects.select_related("product", "shipment"), number=number)
    workflow = Workflow.objects.filter(pk=order.workflow_id).first()
    moments = timeline(workflow) if workflow else []
    context = {
        "order": order,
        "workflow": workflow,
        "timeline": moments,
        "seconds": max((moment.end for moment in moments), default=0.0),
        "news": workflow and get_event(workflow.pk, "progress", timeout=0, default=""),
        "is_busy": workflow is not None and not workflow.is_finished,
    }
    return render(request, "shop/order.html", context)


@require_POST
def check_out(_request: HttpRequest, number: str) -> HttpResponse:
    """Start the checkout of one order; clicked twice, it is still one checkout."""
    order = get_object_or_404(Order, number=number)
    start_checkout(order)
    return redirect("shop:order", number=order.number)


@require_POST
def check_out_all(request: HttpRequest) -> HttpResponse:
    """Start the checkout of every order that has none."""
    count = start_pending_checkouts()
    messages.success(request, f"{count} checkout{pluralize(count)} started.")
    return redirect("shop:orders")


@require_POST
def import_sample(request: HttpRequest) -> HttpResponse:
    """Import the orders that come with the project and tell what was wrong with them."""
    load_products()
    report = import_orders()
    messages.success(request, f"{report.imported} orders imported, {report.already_known} were known already.")
    for problem in [*report.broken, *report.duplicates]:
        messages.warning(request, f"Line {problem.line}: {problem.reason}")
    return redirect("shop:orders")
