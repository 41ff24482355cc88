"""Addresses of what the page leads to: other rows, downloads, itself with another view."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.urls import reverse

from durable_django.base.texts import plain
from durable_django.models.workflow import Workflow


@dataclass(frozen=True)
class Link:
    """A text that may lead somewhere; no address: it only stands there."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Addresses:
    """
    Where things are in one admin site.

    site  its name
    """

    site: str

    def page(self, model: str, key: object) -> str:
        """Return the page of a row."""
        return self._reverse(f"{model}_change", quote(str(key)))

    def link(self, model: str, key: str | None, text: str = "") -> Link | None:
        """Return the link to the page of a row; None without one."""
        return Link(text or plain(key), self.page(model, key)) if key else None

    def payload(self, workflow_id: str, source: str) -> str:
        """Return the download of a payload of a workflow."""
        return self._reverse("workflow_payload", quote(workflow_id), source)

    def view(self, workflow_id: str, **chosen: str) -> str:
        """Return the page of a workflow in another view."""
        asked = urlencode({name: value for name, value in chosen.items() if value})
        return self.page("workflow", workflow_id) + (f"?{asked}" if asked else "")

    def _reverse(self, view: str, *args: str) -> str:
        return reverse(f"admin:{Workflow._meta.app_label}_{view}", args=args, current_app=self.site)
