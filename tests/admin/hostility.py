"""Hostile rows: markup in every text column of every model, and every page of the admin that could show it."""

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models
from django.urls import NoReverseMatch, reverse

from durable_django.admin.operating.verbs import verbs_of
from durable_django.base import payloads
from tests.admin.support import HOSTILE

APP = "durable_django"
#: Columns that only take what the engine writes: a hostile value there is another test's.
ENGINES_OWN = {"workflow.status", "workflow.fingerprint", "operation.form_id"}
#: The view whose answers are files: see downloads_of().
DOWNLOADS = f"{APP}_workflow_payload"
#: What a column of JSON holds, where its readers want more than any JSON.
JSON = {"worker.queues": [HOSTILE]}
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
    for model in own_models():
        model.objects.update(**dict(columns_of(model, are_readable=are_readable)))


def columns_of(model, *, are_readable):
    """Yield the text columns of a model with what to write into them."""
    for field in model._meta.concrete_fields:
        name = f"{model._meta.model_name}.{field.name}"
        if field.primary_key or field.is_relation or name in ENGINES_OWN:
            continue
        if isinstance(field, models.JSONField):
            yield field.name, JSON.get(name, {HOSTILE: HOSTILE})
        elif isinstance(field, models.TextField) and are_readable and name != "workflow.reason":
            yield field.name, PAYLOADS.get(name, lambda: payloads.encode({HOSTILE: HOSTILE}))()
        elif isinstance(field, (models.TextField, models.CharField)):
            yield field.name, HOSTILE if field.max_length is None or is_unique(field) else HOSTILE[: field.max_length]


def is_unique(field):
    return field.unique


def own_models():
    """Return the models that have a table; a proxy has the rows of another one."""
    return [model for model in apps.get_app_config(APP).get_models() if not model._meta.proxy]


def addresses():
    """Yield every page of the admin for the models of the app: lists, pages of rows, and what else their admins add."""
    yield reverse("admin:index")
    yield reverse("admin:app_list", args=[APP])
    for model, model_admin in model_admins():
        for name in {pattern.name for pattern in model_admin.get_urls() if pattern.name} - {DOWNLOADS}:
            yield from of_view(name, model)


def model_admins():
    """Return the admins of the app, each with its model."""
    return [found for found in admin.site._registry.items() if found[0]._meta.app_label == APP]


def of_view(name, model):
    """Yield the addresses of a view: without an argument, with the key of each row, or with a verb as well."""
    more = [(), *((verb.name,) for verb in verbs_of(model._meta.model_name))]
    for keys in [(), *((quote(row.pk), *each) for row in model.objects.all() for each in more)]:
        try:
            yield reverse(f"admin:{name}", args=keys)
        except NoReverseMatch:
            continue


def lists_filtered_by(value):
    """Yield every list with each of its filters, and its search, set to a value."""
    for model, model_admin in model_admins():
        address = reverse(f"admin:{APP}_{model._meta.model_name}_changelist")
        for name in (*sorted(model_admin.allowed_lookups), "q", "period", "o", "p", "e", "_facets"):
            yield address, {name: value}


def downloads_of(workflow):
    """Yield every payload of a workflow that can be had as a file."""
    sources = ["arguments", "output", "error"]
    for step in workflow.steps.all():
        sources += [f"step-{step.pk}-output", f"step-{step.pk}-error"]
    for kind in ("message", "event", "entry"):
        sources += [f"{kind}-{row.pk}" for row in ROWS[kind](workflow)]
    for source in sources:
        yield reverse(f"admin:{DOWNLOADS}", args=[quote(workflow.pk), source])


ROWS = {
    "message": lambda workflow: apps.get_model(APP, "Message").objects.filter(workflow_id=workflow.pk),
    "event": lambda workflow: apps.get_model(APP, "Event").objects.filter(workflow_id=workflow.pk),
    "entry": lambda workflow: apps.get_model(APP, "StreamEntry").objects.filter(workflow_id=workflow.pk),
}
