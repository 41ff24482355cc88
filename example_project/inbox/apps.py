"""The inbox app."""

from __future__ import annotations

from django.apps import AppConfig


class InboxConfig(AppConfig):
    """Label `inbox`: the workflow in workflows.py is therefore named `inbox.answer_letter`."""

    name = "example_project.inbox"
    label = "inbox"
    default_auto_field = "django.db.models.BigAutoField"
