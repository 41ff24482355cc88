"""Hostile rows: markup in every text column of every model, and every page of the admin that could show it."""

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models
from django.urls import NoReverseMatch, reverse

from durable_django.base import payloads
from tests.admin.support import HOSTILE

APP = "durable_django"
#: Columns that only take what the engine writes: a hostile value there is another test's.
ENGINES_OWN = {"workflow.status", "workflow.fingerprint", "queue.declared", "schedule.declared", "worker.queues"}
#: Columns that hold stored values, and what makes hostile ones.
PAYLOADS = {
    "workflow.arguments": lambda: payloads.encode_call((HOSTILE,), {"password": HOSTILE, "other": {HOSTILE: HOSTILE}}),
    "workflow.error": lambda: payloads.encode_error(hostile_error()),
    "step.error": lambda: payloads.encode_error(hostile_error()),
}


def hostile_error():
    error = ValueError(HOSTILE)
    error.__cause__ = KeyError(HOSTILE)
    error.add_note(HOSTILE)
    try:
        raise error
    except ValueError as raised:
        return raised


def poison(*, are_readable):
    """
    Write markup into every text column of every row.

    are_readable  whether columns of payloads hold hostile values, or damaged text
    """
    for model in apps.get_app_config(APP).get_models():
        # A proxy has the rows of another one.
        if not model._meta.proxy:
            model.objects.update(**dict(columns_of(model, are_readable=are_readable)))


def columns_of(model, *, are_readable):
    """Yield the text columns of a model with what to write into them."""
    for field in model._meta.concrete_fields:
        name = f"{model._meta.model_name}.{field.name}"
        if field.primary_key or field.is_relation or name in ENGINES_OWN:
            continue
        if isinstance(field, models.JSONField):
            yield field.name, {HOSTILE: HOSTILE}
        elif isinstance(field, models.TextField) and are_readable and name != "workflow.reason":
            yield field.name, PAYLOADS.get(name, lambda: payloads.encode({HOSTILE: HOSTILE}))()
        elif isinstance(field, (models.TextField, models.CharField)):
            yield field.name, HOSTILE if field.max_length is None or is_unique(field) else HOSTILE[: field.max_length]


def is_unique(field):
    return field.unique


def addresses():
    """Yield every page of the admin for the models of the app: lists, pages of rows, and what else their admins add."""
    yield reverse("admin:index")
    yield reverse("admin:app_list", args=[APP])
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == APP:
            for name in {pattern.name for pattern in model_admin.get_urls() if pattern.name}:
                yield from of_view(name, model)


def of_view(name, model):
    """Yield the addresses of a view: without an argument, or with the key of each row."""
    try:
        yield reverse(f"admin:{name}")
    except NoReverseMatch:
        for row in model.objects.all():
            try:
                yield reverse(f"admin:{name}", args=[quote(row.pk)])
            except NoReverseMatch:
                return
