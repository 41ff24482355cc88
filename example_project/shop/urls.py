"""The addresses of the shop's pages."""

from __future__ import annotations

from django.urls import path

from example_project.shop import views

app_name = "shop"
urlpatterns = [
    path("", views.order_list, name="orders"),
    path("import/", views.import_sample, name="import"),
    path("checkout/", views.start_checkouts, name="checkout"),
]
