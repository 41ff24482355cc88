"""What a fork shares of a history: checkpoints, and the events and stream entries of the same places, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from durable_django.base import payloads
from durable_django.models.event import Event, EventChange
from durable_django.models.step import Step
from durable_django.models.stream import StreamEntry

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow

#: Rows that are read and written at once, with their payloads.
_BATCH = 500
#: Steps whose outcome is the id of a child, or the ids of several.
_NAMING_CHILDREN = ("start", "start_many", "wait_first", "wait_all")


class Found(NamedTuple):
    """One step of a history, without its payloads."""

    pk: int
    branch: str
    position: int
    name: str
    is_finished: bool


@dataclass
class Shared:
    """
    What is shared of the history of a workflow.

    steps     keys of its steps, in order
    places    where these stand: events and stream entries of other places are not shared
    children  the children that were found in them, once they are copied
    """

    workflow_id: str
    steps: list[int]
    places: set[tuple[str, int]]
    children: set[str] = field(default_factory=set)


def shared(alias: str, workflow_id: str, choose: Callable[[Sequence[Found]], Iterable[Found]]) -> Shared:
    """Read the places of a history by one query, which sees one state of it, and choose some (durable_step_key)."""
    rows = Step.objects.using(alias).filter(workflow_id=workflow_id).order_by("branch", "position")
    columns = rows.values_list("pk", "branch", "position", "name", "finished_at").iterator()
    found = [Found(pk, branch, position, name, end is not None) for pk, branch, position, name, end in columns]
    chosen = list(choose(found))
    return Shared(workflow_id, [step.pk for step in chosen], {(step.branch, step.position) for step in chosen})


def failures(workflow: Workflow) -> list[int]:
    """Return the keys of the steps that failed at the very end."""
    return Step.objects.using(workflow._state.db).failures_at_the_end([workflow.pk])


def copy(alias: str, what: Shared, new_id: str, replaced: Mapping[str, str]) -> None:
    """Give a new workflow a copy of what is shared, with other children in the place of some."""
    steps = Step.objects.using(alias)
    for rows in _rows_of(steps, what.steps):
        steps.bulk_create([_copy_of_step(row, new_id, what, replaced) for row in rows])
    _copy_events(alias, what, new_id)
    _copy_streams(alias, what, new_id)


def _rows_of(queryset: Any, keys: Sequence[int]) -> Iterator[list[Any]]:
    """Yield the rows with these keys in order, batch by batch."""
    for first in range(0, len(keys), _BATCH):
        chosen = keys[first : first + _BATCH]
        found = queryset.in_bulk(chosen)
        yield [found[key] for key in chosen if key in found]


def _fresh(row: Any, new_id: str, **changes: Any) -> Any:
    """Return a copy of a row that belongs to another workflow."""
    fields = [field.attname for field in row._meta.concrete_fields if not field.primary_key]
    return type(row)(**{**{name: getattr(row, name) for name in fields}, "workflow_id": new_id, **changes})


def _copy_of_step(row: Step, new_id: str, what: Shared, replaced: Mapping[str, str]) -> Step:
    # Attempt 0: no attempt of the fork has made this progress, which recovery would take for its own.
    copied: Step = _fresh(row, new_id, attempt=0)
    if row.kind in _NAMING_CHILDREN and row.output is not None:
        value = payloads.decode(row.output)
        named = value if isinstance(value, list) else [value]
        what.children.update(map(str, named))
        if replaced.keys() & set(named):
            others = [replaced.get(each, each) for each in named]
            copied.output = payloads.encode(others if isinstance(value, list) else others[0])
    return copied


def _at_shared_places(rows: Any, what: Shared) -> list[int]:
    """Return the keys of what was made at shared places, in the order of the rows."""
    columns = rows.filter(workflow_id=what.workflow_id).values_list("pk", "branch", "position")
    return [key for key, branch, position in columns.iterator() if (branch, position) in what.places]


def _copy_events(alias: str, what: Shared, new_id: str) -> None:
    """Copy the changes of events; an event has the value of the last one that is shared."""
    changes = EventChange.objects.using(alias)
    last: dict[str, EventChange] = {}
    for rows in _rows_of(changes, _at_shared_places(changes.order_by("set_at", "pk"), what)):
        last.update((row.key, row) for row in rows)
        changes.bulk_create([_fresh(row, new_id) for row in rows])
    Event.objects.using(alias).bulk_create(
        [Event(workflow_id=new_id, key=row.key, value=row.value, set_at=row.set_at) for row in last.values()]
    )


def _copy_streams(alias: str, what: Shared, new_id: str) -> None:
    """Copy entries of streams; what others have written in between leaves no gap."""
    entries = StreamEntry.objects.using(alias)
    counts: dict[str, int] = {}
    for rows in _rows_of(entries, _at_shared_places(entries.order_by("key", "offset"), what)):
        copies = []
        for row in rows:
            offset = counts[row.key] = counts.get(row.key, -1) + 1
            copies.append(_fresh(row, new_id, offset=offset))
        entries.bulk_create(copies)
