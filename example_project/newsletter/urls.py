"""The addresses of the newsletter."""

from __future__ import annotations

from django.urls import path

from example_project.newsletter import views

app_name = "newsletter"
urlpatterns = [
    path("", views.newsletter, name="newsletter"),
    path("subscribe/", views.subscribe, name="subscribe"),
    path("issue/", views.issue, name="issue"),
]
