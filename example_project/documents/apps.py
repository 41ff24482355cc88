"""The documents app."""

from __future__ import annotations

from django.apps import AppConfig


class DocumentsConfig(AppConfig):
    """Label `documents`: the workflows in workflows.py are therefore named `documents.count_folder` and so on."""

    name = "example_project.documents"
    label = "documents"
