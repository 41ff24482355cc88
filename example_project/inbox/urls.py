"""The addresses of the inbox."""

from __future__ import annotations

from django.urls import path

from example_project.inbox import views

app_name = "inbox"
urlpatterns = [
    path("", views.letter_list, name="letters"),
    path("fetch/", views.fetch, name="fetch"),
    path("<int:pk>/", views.letter_detail, name="letter"),
]
