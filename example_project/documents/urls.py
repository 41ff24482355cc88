"""The addresses of the counts."""

from __future__ import annotations

from django.urls import path

from example_project.documents import views

app_name = "documents"
urlpatterns = [
    path("", views.count_list, name="counts"),
    path("count/", views.count, name="count"),
    path("<str:workflow_id>/", views.report, name="report"),
]
