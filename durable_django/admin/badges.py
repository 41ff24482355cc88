"""Coloured labels for states; the colours stand in static/durable_django/admin.css."""

from __future__ import annotations

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString


def badge(kind: str, text: Any) -> SafeString:
    """Return a label; kind is a status, or a state of a step that the style sheet knows."""
    return format_html('<span class="durable-badge durable-{}">{}</span>', kind, text)
