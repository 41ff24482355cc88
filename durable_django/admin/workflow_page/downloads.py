"""Payloads in full, as files: without their secrets, and nothing that a browser would run."""

from __future__ import annotations

import json
import re
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.utils.http import content_disposition_header

from durable_django import redaction
from durable_django.base import payloads
from durable_django.base.payloads.decoding import parse
from durable_django.exceptions import UnreadablePayload
from durable_django.management.showing import parameters_of
from durable_django.models.event import Event
from durable_django.models.message import Message
from durable_django.models.step import Step
from durable_django.models.stream import StreamEntry
from durable_django.models.workflow import Workflow

_OF_WORKFLOW = ("arguments", "output", "error")
_OF_OTHERS = re.compile(r"(?P<kind>step|message|event|entry)-(?P<row>\d{1,18})(?:-(?P<column>output|error))?")
_NOT_IN_NAMES = re.compile(r"[^\w.-]+", re.ASCII)


def download(workflow: Workflow, source: str) -> HttpResponse:
    """
    Return a payload as a file of JSON, for a user who may see it.

    source  arguments, output, error; step-7-output, step-7-error, message-7, event-7, entry-7

    Raises Http404 for what is not there.
    """
    name, stored = _stored(workflow, source)
    if stored is None:
        raise Http404
    response = HttpResponse(_redacted(workflow, source, name, stored), content_type="application/json")
    filename = _NOT_IN_NAMES.sub("_", f"{workflow.pk[:80]}-{source}") + ".json"
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=filename)
    # Not to be taken for a page by a browser, whatever it holds, nor kept by a cache in between.
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


def _stored(workflow: Workflow, source: str) -> tuple[str, str | None]:
    """Return what the payload is called, and its text; None if there is none."""
    alias = workflow._state.db
    if source in _OF_WORKFLOW:
        rows = Workflow.objects.using(alias).filter(pk=workflow.pk)
        return "", rows.values_list(source, flat=True).first()
    found = _OF_OTHERS.fullmatch(source)
    if found is None or (found["kind"] == "step") != (found["column"] is not None):
        return "", None
    of_this = Q(workflow=workflow.pk)
    models: dict[str, tuple[Any, Q, str, str]] = {
        "step": (
            Step,
            of_this & Q(finished_at__isnull=False) | of_this & Q(error__isnull=False),
            "kind",
            found["column"],
        ),
        "message": (Message, of_this | Q(sender=workflow.pk, sender__gt=""), "topic", "value"),
        "event": (Event, of_this, "key", "value"),
        "entry": (StreamEntry, of_this, "key", "value"),
    }
    model, condition, name, column = models[found["kind"]]
    row = model.objects.using(alias).filter(condition, pk=int(found["row"])).values_list(name, column).first()
    return row or ("", None)


def _redacted(workflow: Workflow, source: str, name: str, stored: str) -> str:
    """Return the JSON without its secrets; of what cannot be read, only why: nobody could tell what is in it."""
    redact = redaction.chosen()
    try:
        tree = parse(stored)
        if source == "arguments":
            tree = payloads.redacted_call(tree, redact, parameters_of(workflow.name))
        else:
            tree = payloads.redacted(tree, redact, "" if source.startswith("step") else name)
        return json.dumps(tree, indent=2)
    except (UnreadablePayload, ValueError, RecursionError) as error:
        return json.dumps({"unreadable": str(redact("", str(error)))})
