"""Orders in the admin: to look at, and to mend an address; with a link to the workflow of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from example_project.shop.models import Order, OrderQuerySet

if TYPE_CHECKING:
    OrderAdminBase = admin.ModelAdmin[Order]
else:
    OrderAdminBase = admin.ModelAdmin


@admin.register(Order)
class OrderAdmin(OrderAdminBase):
    """Every order with the status of its workflow. Only the checkout changes what it decides about."""

    list_display = ("number", "customer", "product", "amount", "currency", "state", "workflow")
    list_filter = ("state", "currency")
    list_select_related = ("product",)
    search_fields = ("number", "customer", "email")
    fieldsets = (
        (None, {"fields": ("number", "state", "reason", "workflow", "charge_id", "created_at")}),
        ("Goods", {"fields": ("product", "quantity", "amount", "currency", "card")}),
        ("Customer", {"fields": ("customer", "email", "address", "country")}),
    )
    #: All but the address: there a mistake is mended before somebody resumes the checkout that failed of it.
    readonly_fields = (
        *("number", "state", "reason", "workflow", "charge_id", "created_at"),
        *("product", "quantity", "amount", "currency", "card"),
    )

    def get_queryset(self, _request: HttpRequest) -> OrderQuerySet:
        """Bring the status of each workflow along: a query for each row would make the list slow."""
        return Order.objects.with_workflow_status()

    def save_model(self, _request: HttpRequest, order: Order, form: Any, _change: bool) -> None:  # noqa: FBT001 - Django's
        """Write what was mended alone: the checkout may have written the rest since the page was opened."""
        order.save(update_fields=form.changed_data)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, _request: HttpRequest, _order: Order | None = None) -> bool:
        return False

    @admin.display(description="workflow", ordering="workflow_status")
    def workflow(self, order: Any) -> SafeString | str:
        """Show the status of the order's workflow, with a link to its page."""
        if order.workflow_status is None:
            return "-"
        url = reverse("admin:durable_django_workflow_change", args=[quote(order.workflow_id)])
        return format_html('<a href="{}">{}</a>', url, order.workflow_status)
