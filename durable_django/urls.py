"""Addresses for browsers: `path("durable/", include("durable_django.urls"))`."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from durable_django.monitoring.views import health, metrics
from durable_django.views import stream


class KeyConverter(StringConverter):
    """One part of an address; a key with a slash has none, rather than that of another workflow's stream."""

    def to_url(self, value: str) -> str:
        """Return the key as it is. Raises ValueError, hence NoReverseMatch, for one with a slash."""
        if "/" in value:
            raise ValueError
        return value


register_converter(KeyConverter, "durable_stream_key")

app_name = "durable_django"

urlpatterns = [
    path("streams/<path:workflow_id>/<durable_stream_key:key>/", stream, name="stream"),
    path("health/", health, name="health"),
    path("metrics/", metrics, name="metrics"),
]
