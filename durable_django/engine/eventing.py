"""Events: values that a workflow publishes under keys, and those who wait for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from durable_django.base import payloads
from durable_django.engine import context, stepping, waits
from durable_django.engine.calls import StepSpec
from durable_django.engine.waits import Answer, Wait
from durable_django.exceptions import EventTimeout, WorkflowNotFound
from durable_django.models import awaited
from durable_django.models.event import Event, EventChange
from durable_django.models.status import Status
from durable_django.models.turns import short_transaction
from durable_django.models.workflow import Workflow

#: How often to look for what nobody wakes a waiter for: a workflow that does not exist yet.
_POLL_SECONDS = 1.0
#: What a wait notes once it has seen the workflow: if that is gone later, it was deleted.
_SEEN = payloads.encode(True)


def set_event(key: str, value: str) -> None:
    """
    Publish a value, or replace it: exactly once from a workflow, at least once from a plain step.

    value  its stored text
    """
    _run, step = context.require_inside("set_event()")
    if step is None:
        stepping.perform(_SET, (key, value), {})
    else:
        _publish(key, value)


def _publish(key: str, value: str) -> None:
    run, step = context.current_place()
    alias, workflow_id = run.alias, run.workflow.pk
    text = awaited.for_event(workflow_id, key)
    with short_transaction(alias, savepoint=False):
        row = run.lock_row(waking=text)
        Event.objects.using(alias).publish(workflow_id, key, value)
        EventChange.objects.using(alias).note(workflow_id, key, value, *step.place)
        if row.is_watched:
            # Looked for again: one may have begun to wait while the lock was waited for.
            Workflow.objects.using(alias).awaiting(text).wake()


_SET = StepSpec(name="set_event", func=_publish, is_atomic=True, kind="set_event")


@dataclass(eq=False, kw_only=True)
class EventWait(Wait):
    """A call that waits for an event of a workflow, which need not exist yet."""

    workflow_id: str
    key: str
    consumes: bool = False
    wakes_several: bool = False

    def look(self) -> Answer | None:
        """Return the value, or that it cannot come any more."""
        found = find(self.run.alias, self.workflow_id, self.key)
        self.poll_seconds = None if found.exists else _POLL_SECONDS
        if found.value is not None:
            return Answer(output=found.value)
        if self.noted is not None and not found.exists:
            return Answer(error=payloads.encode_error(WorkflowNotFound(workflow_id=self.workflow_id)))
        self.noted = _SEEN if found.exists else None
        return self._missing(found) if found.has_ended else None

    def at_end(self) -> Answer:
        """Return that it did not come."""
        return self._missing(None)

    def _missing(self, found: Found | None) -> Answer:
        error = missing(self.workflow_id, self.key, self.until, found)
        return Answer(error=payloads.encode_error(error))


class Found(NamedTuple):
    """What a look for an event finds: its stored value, and whether its workflow exists, has ended and was pruned."""

    value: str | None
    exists: bool
    has_ended: bool
    is_pruned: bool


def find(alias: str, workflow_id: str, key: str) -> Found:
    """Look for an event; two queries at most."""
    # The status first: an event that was set before the end is then seen, too.
    rows = Workflow.objects.using(alias).filter(pk=workflow_id)
    status, pruned_at = rows.values_list("status", "pruned_at").first() or (None, None)
    value = Event.objects.using(alias).value_of(workflow_id, key)
    return Found(value, status is not None, status in Status.terminal(), pruned_at is not None)


def missing(workflow_id: str, key: str, timeout: Any, found: Found | None) -> EventTimeout:
    """Return the error of an event that did not come: in time or, as was found, at all."""
    why = f"within {timeout} s"
    if found is not None and found.has_ended:
        why = "that is still there: its retention is over" if found.is_pruned else "before it ended"
    return EventTimeout(workflow_id=workflow_id, key=key, timeout=timeout, why=why)


def get_event(workflow_id: str, key: str, timeout: float | None) -> Any:
    """
    Return the value of an event in a workflow; suspend until it is set.

    The value that was read never changes on replay. Raises EventTimeout after so many seconds, or as soon as the
    workflow has ended without it.
    """
    run = context.require_run("get_event()")
    wait = EventWait(
        run=run,
        place=run.next_place(),
        name="get_event",
        kind="get_event",
        until=timeout,
        workflow_id=workflow_id,
        key=key,
        others=(workflow_id,),
        awaited=awaited.for_event(workflow_id, key),
    )
    return waits.perform(wait)


def get_events(workflow_id: str) -> dict[str, Any]:
    """Return the values of all events of a workflow, by key. Raises WorkflowNotFound."""
    alias = context.alias_of_workflows()
    rows = Event.objects.using(alias).filter(workflow_id=workflow_id).order_by("key")
    events = {key: payloads.decode(value) for key, value in rows.values_list("key", "value")}
    if not events and not Workflow.objects.using(alias).filter(pk=workflow_id).exists():
        raise WorkflowNotFound(workflow_id=workflow_id)
    return events


#: In a workflow the look is recorded: it is what every replay sees.
GET_ALL = StepSpec(name="get_events", func=get_events, kind="get_events")
