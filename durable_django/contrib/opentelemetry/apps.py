"""The app that connects the spans; without it OpenTelemetry is not imported, and nothing is traced."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from durable_django.base import tracing

try:
    from durable_django.contrib.opentelemetry.spans import Spans
except ImportError as error:
    message = "durable_django.contrib.opentelemetry needs OpenTelemetry: pip install 'durable-django[otel]'"
    raise ImproperlyConfigured(message) from error


class OpenTelemetryConfig(AppConfig):
    """Spans of workflows."""

    name = "durable_django.contrib.opentelemetry"
    label = "durable_opentelemetry"
    verbose_name = _("Spans of durable workflows")

    def ready(self) -> None:
        """Let the engine tell OpenTelemetry, with the provider and the propagator that the process has set."""
        spans = Spans()
        spans.listen()
        tracing.connect(spans)
