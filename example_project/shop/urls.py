"""The addresses of the shop's pages."""

from __future__ import annotations

from django.urls import path

from example_project.shop import views, webhooks

app_name = "shop"
urlpatterns = [
    path("", views.order_list, name="orders"),
    path("import/", views.import_sample, name="import"),
    path("checkout/", views.check_out_all, name="checkout_all"),
    path("orders/<str:number>/", views.order_detail, name="order"),
    path("orders/<str:number>/checkout/", views.check_out, name="checkout"),
    path("webhooks/payments/", webhooks.payment, name="payment_webhook"),
]
