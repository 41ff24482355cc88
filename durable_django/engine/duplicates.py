"""What a start does whose INSERT found its place taken: by its own id, or by the holder of its deduplication key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durable_django.exceptions import DuplicateWorkflow, WorkflowConflict
from durable_django.models import duplicates
from durable_django.models.workflow import Workflow

if TYPE_CHECKING:
    from durable_django.engine.starting import StartOptions


def find(values: dict[str, Any], options: StartOptions, alias: str) -> str | None:
    """
    Return the id of the workflow that is the answer to the start; None if nobody stands in its way any more.

    Raises WorkflowConflict if its id belongs to another workflow, DuplicateWorkflow if another one holds its key.
    """
    if _has_same_id(values, options, alias):
        return str(values["id"])
    return _holder(values, options, alias) if values["deduplication_key"] is not None else None


def _has_same_id(values: dict[str, Any], options: StartOptions, alias: str) -> bool:
    rows = Workflow.objects.using(alias).filter(pk=values["id"])
    found = rows.values_list("name", "fingerprint").first()
    if found is None:
        return False
    name, fingerprint = found
    wanted, existing = f"a {values['name']!r}", f"a {name!r}"
    if name == values["name"]:
        wanted, existing = f"a {name!r} with these arguments", f"a {name!r} with other arguments"
    is_other = name != values["name"] or (
        fingerprint != values["fingerprint"] and options.on_duplicate != "return_existing"
    )
    if is_other:
        raise WorkflowConflict(workflow_id=values["id"], wanted=wanted, existing=existing)
    return True


def _holder(values: dict[str, Any], options: StartOptions, alias: str) -> str | None:
    if options.debounce is not None and (moved := duplicates.debounce(alias, values)) is not None:
        return moved
    queue, key = values["queue"], values["deduplication_key"]
    found = duplicates.holder_of(alias, queue, key)
    if found is None:
        return None
    holder, name = found
    if options.on_duplicate == "return_existing" and name == values["name"]:
        return holder
    raise DuplicateWorkflow(workflow_id=holder, deduplication_key=key, queue=queue)
