"""What is recorded of one attempt of a task, and how it is read: the worker, and the value or the error."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from durable_django.base import payloads
from durable_django.base.payloads import ErrorDescription
from durable_django.exceptions import PayloadError, WorkflowFailed
from durable_django.tasks.sources import TaskError

#: The worker of an attempt that another thread has ended, by a timeout.
UNKNOWN_WORKER = "unknown"
#: Begins the note by which an error says in whose hands the task failed: it is what a failed step can keep.
_NOTE = "Worker: "


class Ended(NamedTuple):
    """An attempt that has ended."""

    worker: str
    error: TaskError | None
    began_at: datetime | None


def success(worker: str, value: Any) -> dict[str, Any]:
    """Return what the step of an attempt returns, and the workflow."""
    return {"return_value": value, "worker": worker}


def sign(error: BaseException, worker: str) -> None:
    """Note on an error in whose hands the task failed; once, however often the same object is raised."""
    others = [note for note in getattr(error, "__notes__", ()) if not str(note).startswith(_NOTE)]
    error.__notes__ = [*others, f"{_NOTE}{worker}"]


def left_by(error: BaseException, workflow_id: str) -> WorkflowFailed:
    """Return the failure of a task that SystemExit or its like has left: it ends the task, not the worker."""
    found = error_from(payloads.encode_error(error))
    said = payloads.describe_error(payloads.encode_error(error)).message
    return WorkflowFailed(
        workflow_id=workflow_id, type=found.exception_class_path, error=said, traceback=found.traceback
    )


def ended_by(output: str | None, error: str | None, began_at: datetime | None) -> Ended:
    """Return what the columns of a step say of the attempt."""
    if error is not None:
        return Ended(_worker_in(payloads.describe_error(error)), error_from(error), began_at)
    return Ended(str(_success_in(output).get("worker", UNKNOWN_WORKER)), None, began_at)


def value_in(output: str | None) -> Any:
    """Return the value of a task that has succeeded; None if nobody can read it."""
    return _success_in(output).get("return_value")


def _success_in(output: str | None) -> dict[str, Any]:
    try:
        found = payloads.decode(output or "null")
    except PayloadError:
        found = None
    return found if type(found) is dict else {}


def ended_with(error: Exception) -> Ended:
    """Return what an error says that the attempt has raised, now or before a replay."""
    return ended_by(None, payloads.encode_error(error), None)


def error_from(text: str) -> TaskError:
    """Return a recorded error as django.tasks has it."""
    said = payloads.describe_error(text)
    if said.type == _FAILED:
        # What has left the task was no Exception: its own words stand inside.
        inner = payloads.decode_error(text)
        facts = vars(inner)
        if isinstance(inner, WorkflowFailed) and {"type", "traceback"} <= facts.keys():
            return TaskError(exception_class_path=str(facts["type"]), traceback=str(facts["traceback"]))
    path = said.type if "." in said.type else f"builtins.{said.type}"
    return TaskError(exception_class_path=path, traceback=said.traceback or f"{said.type}: {said.message}\n")


_FAILED = f"{WorkflowFailed.__module__}.{WorkflowFailed.__qualname__}"


def _worker_in(said: ErrorDescription) -> str:
    notes = [note.removeprefix(_NOTE) for note in said.notes if note.startswith(_NOTE)]
    return notes[-1] if notes else UNKNOWN_WORKER
