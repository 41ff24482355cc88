"""What a workflow is about: the row of the project's own that it was started for, as a link to its page."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from durable_django.base.texts import plain


def subject_of(workflow: Any, site: AdminSite) -> SafeString | str:
    """Return kind and key of the subject, as a link if the site has its page; empty without one. No row is read."""
    kind, key = workflow.subject_type, workflow.subject_id
    if kind is None or key is None:
        return ""
    model = kind.model_class()
    if model is None:
        return plain(f"{kind.app_label}.{kind.model} {key}")
    text = plain(f"{model._meta.verbose_name} {key}")
    if not site.is_registered(model):
        return text
    try:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(name, args=[quote(key)], current_app=site.name), text)
    except NoReverseMatch:
        return text
