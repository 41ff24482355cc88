"""The shop's own pages in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from example_project.shop.models import Order, Product, Reservation, Shipment

if TYPE_CHECKING:
    ProductAdminBase = admin.ModelAdmin[Product]
    OrderAdminBase = admin.ModelAdmin[Order]
    ReservationAdminBase = admin.ModelAdmin[Reservation]
    ShipmentAdminBase = admin.ModelAdmin[Shipment]
else:
    ProductAdminBase = OrderAdminBase = ReservationAdminBase = ShipmentAdminBase = admin.ModelAdmin


@admin.register(Product)
class ProductAdmin(ProductAdminBase):
    """Products with what is left of them."""

    list_display = ("sku", "name", "stock")
    search_fields = ("sku", "name")


@admin.register(Order)
class OrderAdmin(OrderAdminBase):
    """Orders; their state is the checkout's to change."""

    list_display = ("number", "customer", "country", "product", "quantity", "amount", "currency", "state")
    list_filter = ("state", "currency", "country")
    list_select_related = ("product",)
    search_fields = ("number", "customer", "email")
    readonly_fields = ("workflow_id", "state", "charge_id", "reason", "created_at")


@admin.register(Reservation)
class ReservationAdmin(ReservationAdminBase):
    """Goods set aside."""

    list_display = ("order", "created_at")
    list_select_related = ("order",)


@admin.register(Shipment)
class ShipmentAdmin(ShipmentAdminBase):
    """Parcels on their way."""

    list_display = ("order", "carrier", "created_at")
    list_select_related = ("order",)
