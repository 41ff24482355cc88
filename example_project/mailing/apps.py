"""The mailing app."""

from __future__ import annotations

from django.apps import AppConfig


class MailingConfig(AppConfig):
    """Label `mailing`: the workflows in workflows.py are therefore named `mailing.deliver` and so on."""

    name = "example_project.mailing"
    label = "mailing"
    default_auto_field = "django.db.models.BigAutoField"
