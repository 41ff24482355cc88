"""Coloured labels for states, and gauges; the colours stand in static/durable_django/admin.css."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from durable_django.admin.drawings import gauge


def badge(kind: str, text: Any) -> SafeString:
    """Return a label; kind is a status, or a state of a step that the style sheet knows."""
    return format_html('<span class="durable-badge durable-{}">{}</span>', kind, text)


def drawn_gauge(used: int, limit: int | None) -> SafeString:
    """Return a number, with a gauge beside it if there is a limit."""
    return render_to_string("admin/durable_django/gauge.html", {"used": used, "gauge": gauge(used, limit)})
