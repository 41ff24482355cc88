"""OpenTelemetry spans of workflows: add "durable_django.contrib.opentelemetry" to INSTALLED_APPS."""
