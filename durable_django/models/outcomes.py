"""What those hear who wait for a workflow that ended badly."""

from __future__ import annotations

from durable_django.base import payloads
from durable_django.exceptions import WorkflowCancelled, WorkflowFailed
from durable_django.models.status import Status


def cancelled(workflow_id: str, reason: str) -> WorkflowCancelled:
    """Return the error of a workflow that was cancelled."""
    return WorkflowCancelled(workflow_id=workflow_id, reason=reason or "no reason given")


def error_of(workflow_id: str, status: str, error: str | None, reason: str) -> str:
    """Return the error of a failed or cancelled workflow as it stands in the history of one that waited for it."""
    if status == Status.CANCELLED:
        return payloads.encode_error(cancelled(workflow_id, reason))
    text = error or ""
    found = payloads.decode_error(text, workflow_id)
    # A stand-in for an error whose class is not loaded names the workflow that it came from.
    is_stand_in = isinstance(found, WorkflowFailed) and found.__dict__.get("workflow_id") == workflow_id
    return payloads.encode_error(found) if is_stand_in else text
