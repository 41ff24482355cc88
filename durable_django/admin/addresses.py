"""Where pages of the admin are: lists with their filters set, and the pages of rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.urls import reverse


def list_of(site: str, model: str, **filters: Any) -> str:
    """
    Return the address of a list.

    site     the name of the admin site
    filters  by the names that the address has for them; those that are None are left out
    """
    address = reverse(f"admin:durable_django_{model}_changelist", current_app=site)
    query = urlencode({name: value for name, value in filters.items() if value is not None})
    return f"{address}?{query}" if query else address


def page_of(site: str, model: str, key: Any) -> str:
    """Return the address of the page of one row."""
    return reverse(f"admin:durable_django_{model}_change", args=[quote(key)], current_app=site)


def failures(site: str, **filters: Any) -> str:
    """Return the address of the failures in groups."""
    address = reverse("admin:durable_django_failures", current_app=site)
    query = urlencode({name: value for name, value in filters.items() if value is not None})
    return f"{address}?{query}" if query else address
