"""
Fanning out and in: the children of a gather() are started together, and what they ended with is recorded together.

What is written is what each branch would have written by itself: the child, the record of its start at the first
position of the branch, and that of its end at the second. The branches then find it as they would at a replay. Whatever
does not fit is left to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from durable_django.base import payloads
from durable_django.base.registry import Registered
from durable_django.engine import checkpoints, children, context, faults, starting
from durable_django.engine.branches import Place
from durable_django.engine.checkpoints import Entry
from durable_django.engine.context import Run
from durable_django.engine.starting import Parent, StartOptions
from durable_django.engine.waits import Answer
from durable_django.models.step import Recorded, Step
from durable_django.models.turns import short_transaction
from durable_django.models.workflow import Workflow

#: Fewer are left to their branches: a transaction for them all would save nothing.
_FEWEST = 4
#: So many in one transaction: none of its children is claimed before it is committed.
_BATCH = 200


class _Child(NamedTuple):
    """A child that a branch is nothing but a call of, and the place of its start."""

    registered: Registered
    options: StartOptions
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    place: Place


def start_ahead(run: Run, calls: Sequence[tuple[str, Callable[[], Any]]]) -> None:
    """
    Start the children that these branches begin with, if they have not begun.

    calls  the key of each branch, and what it calls
    """
    found = [(run.history.get(Place(key, 1)), _child_of(key, call)) for key, call in calls]
    if any(recorded is not None and not _is_start_of(recorded, child) for recorded, child in found):
        # The code may not fit its history: the branch that shows it comes before whatever the others would start.
        return
    chosen = [child for recorded, child in found if recorded is None and child is not None and _can_start(child)]
    for first in range(0, len(chosen), _BATCH) if len(chosen) >= _FEWEST else ():
        run.guard(run.owner.require_going_on)
        _start_batch(run, chosen[first : first + _BATCH])


def answer_ahead(run: Run, calls: Sequence[tuple[str, Callable[[], Any]]]) -> None:
    """Record for these branches how their children have ended, those that have."""
    waiting = {}
    for key, call in calls:
        started, place = run.history.get(Place(key, 1)), Place(key, 2)
        if started is not None and place not in run.history and _is_start_of(started, _child_of(key, call)):
            waiting[str(payloads.decode(started.output or ""))] = place
    ended = [child_id for child_id in waiting if child_id not in run.live]
    for first in range(0, len(ended), _BATCH) if len(ended) >= _FEWEST else ():
        _answer_batch(run, {child_id: waiting[child_id] for child_id in ended[first : first + _BATCH]})


def _answer_batch(run: Run, places: dict[str, Place]) -> None:
    try:
        entries = run.guard(
            faults.until_answered, run.alias, run.owner, "look for results", lambda: _answer_together(run, places)
        )
    except Exception:  # noqa: BLE001 - the fence does not hold, or a place is taken by a commit that nobody heard of
        return
    for entry in entries:
        checkpoints.send_recorded(entry)


def _answer_together(run: Run, places: dict[str, Place]) -> list[Entry]:
    rows = Workflow.objects.using(run.alias).filter(pk__in=places, finished_at__isnull=False)
    entries = []
    for child_id, *outcome in rows.values_list("pk", *children.OUTCOME):
        if answer := children.outcome_of(child_id, children.Outcome(*outcome)):
            entries.append(_entry(run, places[child_id], children.RESULT, children.RESULT, answer))
    with short_transaction(run.alias):
        Step.objects.using(run.alias).insert_many([entry.values() for entry in entries])
    return entries


def _child_of(key: str, call: Any) -> _Child | None:
    """Return the child, if the branch is nothing but its call."""
    args, kwargs = (call.args, call.keywords) if isinstance(call, partial) else ((), {})
    definition: Any = call.func if isinstance(call, partial) else call
    registered = getattr(definition, "registered", None)
    if not isinstance(registered, Registered):
        return None
    return _Child(registered, definition.options, args, kwargs, Place(key, 1))


def _is_start_of(recorded: Recorded, child: _Child | None) -> bool:
    """Whether it is the record of a start of this child that went well."""
    is_alike = child is not None and (recorded.kind, recorded.name) == (children.START, child.registered.name)
    return is_alike and recorded.output is not None


def _can_start(child: _Child) -> bool:
    """Whether it is a new workflow for certain, with arguments that can be stored."""
    if child.options.id is not None or child.options.deduplication_key is not None:
        return False
    if child.registered.permission is not None and child.options.user is not None:
        return False
    try:
        child.registered.encode(child.args, child.kwargs)
    except Exception:  # noqa: BLE001 - it is the branch that raises it
        return False
    return True


def _start_batch(run: Run, batch: Sequence[_Child]) -> None:
    try:
        entries = run.guard(
            faults.until_answered, run.alias, run.owner, "start children", lambda: _start_together(run, batch)
        )
    except Exception:  # noqa: BLE001 - a place or id is taken, a queue unknown: the branch finds it, or raises it
        return
    for entry in entries:
        checkpoints.send_recorded(entry)


def _start_together(run: Run, batch: Sequence[_Child]) -> list[Entry]:
    with short_transaction(run.alias):
        parent = children.lock_parent(run)
        entries = [_start_of(run, child) for child in batch]
        for alike in _alike(batch):
            _insert(run, alike, parent)
        Step.objects.using(run.alias).insert_many([entry.values() for entry in entries])
    run.live.update(_id_of(run, child) for child in batch)
    return entries


def _alike(batch: Sequence[_Child]) -> Iterator[list[_Child]]:
    """Return together neighbours of one workflow with the same options, which one statement inserts in order."""
    for _key, alike in groupby(batch, lambda child: (id(child.registered), id(child.options))):
        yield list(alike)


def _insert(run: Run, alike: Sequence[_Child], parent: Parent) -> None:
    starting.start_many(
        alike[0].registered,
        [(child.args, child.kwargs) for child in alike],
        alike[0].options,
        child_ids=[_id_of(run, child) for child in alike],
        parent=parent,
        must_be_new=True,
    )


def _id_of(run: Run, child: _Child) -> str:
    return context.key_of_place(run, child.place)


def _start_of(run: Run, child: _Child) -> Entry:
    return _entry(run, child.place, child.registered.name, children.START, Answer(payloads.encode(_id_of(run, child))))


def _entry(run: Run, place: Place, name: str, kind: str, answer: Answer) -> Entry:
    return Entry(run=run, place=place, name=name, kind=kind, output=answer.output, error=answer.error)
