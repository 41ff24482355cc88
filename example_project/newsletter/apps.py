"""The newsletter app."""

from __future__ import annotations

from django.apps import AppConfig


class NewsletterConfig(AppConfig):
    """Its tasks run wherever the setting TASKS says."""

    name = "example_project.newsletter"
    label = "newsletter"
