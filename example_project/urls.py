"""The pages of the apps, the streams that they follow, and Django's admin with the pages of the workflows."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    # Streams of workflows for browsers. runserver speaks WSGI, where every page that follows a stream holds a thread of
    # the server for as long as it is open. That is fine here; serve many readers by ASGI, where one holds none.
    path("durable/", include("durable_django.urls")),
    path("inbox/", include("example_project.inbox.urls")),
    path("documents/", include("example_project.documents.urls")),
    path("newsletter/", include("example_project.newsletter.urls")),
    path("mailing/", include("example_project.mailing.urls")),
    path("", include("example_project.shop.urls")),
]
