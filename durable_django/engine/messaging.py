"""
Messages: from anywhere into the mailbox of a workflow, and out of it by exactly one receive.

The sender holds the lock of the destination's row until its transaction commits, so that the order of a mailbox is the
order of commits, and a receive looks either before the message came or after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from durable_django.base import payloads
from durable_django.engine import context, stepping, waits
from durable_django.engine.calls import StepSpec
from durable_django.engine.waits import Answer, Wait
from durable_django.exceptions import ReceiveTimeout, WorkflowFinished, WorkflowNotFound
from durable_django.models import awaited, locks
from durable_django.models.locks import Locked
from durable_django.models.message import Message
from durable_django.models.status import Status
from durable_django.models.turns import short_transaction
from durable_django.models.workflow import Workflow

_LONGEST_NAME = 255


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message on its way, its value encoded."""

    workflow_id: str
    topic: str
    value: str
    key: str | None = None


def send(letters: Sequence[Letter]) -> None:
    """
    Send messages in the caller's transaction, all or none; from a workflow exactly once.

    From a step, each has a key that another call of the step makes again. Raises WorkflowNotFound, WorkflowFinished.
    """
    run, step = context.current_run(), context.current_step()
    if run is not None and step is None:
        stepping.perform(_SEND, (letters,), {})
    elif step is not None:
        _deliver([_keyed(letter, step) for letter in letters])
    else:
        _deliver(letters)


def _keyed(letter: Letter, step: context.StepInfo) -> Letter:
    if letter.key is not None:
        return letter
    key = step.key_of("send", letter.workflow_id, letter.topic, letter.value)
    return Letter(workflow_id=letter.workflow_id, topic=letter.topic, value=letter.value, key=key)


def _deliver(letters: Sequence[Letter]) -> None:
    run, step = context.current_run(), context.current_step()
    sender = "" if run is None else run.workflow.pk
    alias = context.alias_of_workflows()
    woken = set()
    # An error must leave the caller's transaction usable; a step of its own is rolled back as a whole.
    with short_transaction(alias, savepoint=step is None or step.kind != _SEND.kind):
        mailboxes = _lock(alias, {letter.workflow_id for letter in letters})
        for letter in letters:
            box = mailboxes[letter.workflow_id]
            if not _takes(alias, letter, box.status):
                continue
            is_new = Message.objects.using(alias).put(
                letter.workflow_id, letter.topic, letter.value, sender=sender, key=letter.key
            )
            is_awaited = box.waiting_for in {awaited.for_message(letter.topic), awaited.FOR_SEVERAL}
            if is_new and is_awaited and box.status == Status.WAITING:
                woken.add(letter.workflow_id)
        if woken:
            Workflow.objects.using(alias).wake_locked(woken)


def _lock(alias: str, workflow_ids: set[str]) -> dict[str, Locked]:
    """
    Lock the destinations, in order of id as all do. Return status and what is awaited of each.

    Raises WorkflowNotFound unless each of them exists.
    """
    found = locks.lock(alias, workflow_ids)
    if missing := workflow_ids - found.keys():
        raise WorkflowNotFound(workflow_id=min(missing))
    return found


def _takes(alias: str, letter: Letter, status: str) -> bool:
    """
    Whether a workflow still takes the message; not if it has ended since it got the same one.

    Raises WorkflowFinished if it has ended without.
    """
    if status not in Status.terminal():
        return True
    # Whoever sends again because it did not hear of the first time is not to be told that it came too late.
    if Message.objects.using(alias).has(letter.workflow_id, letter.key):
        return False
    raise WorkflowFinished(workflow_id=letter.workflow_id, status=status)


_SEND = StepSpec(name="send", func=_deliver, is_atomic=True, kind="send")


@dataclass(eq=False, kw_only=True)
class Receive(Wait):
    """A call that waits for the next message on a topic."""

    topic: str
    _found: int = field(default=0, init=False)

    def look(self) -> Answer | None:
        """Return the first message that nobody has received."""
        self._found = 0
        first = Message.objects.using(self.run.alias).first_unreceived(self.run.workflow.pk, self.topic)
        if first is None:
            return None
        self._found, value = first
        return Answer(output=value)

    def take(self) -> None:
        """Mark the message as received."""
        if self._found:
            Message.objects.using(self.run.alias).take(self._found, self.place.position)

    def at_end(self) -> Answer:
        """Return that none came in time."""
        return Answer(error=payloads.encode_error(ReceiveTimeout(topic=self.topic, timeout=self.until)))


def receive(topic: str, timeout: float | None) -> Any:
    """
    Return the next message on a topic; suspend until there is one.

    Raises ReceiveTimeout after so many seconds, once and for all.
    """
    run = context.require_run("receive()")
    wait = Receive(
        run=run,
        place=run.next_place(),
        # Cut to what the column holds; the text of what is awaited has all of the topic.
        name=f"receive {topic}".strip()[:_LONGEST_NAME],
        kind="receive",
        until=timeout,
        topic=topic,
        awaited=awaited.for_message(topic),
    )
    return waits.perform(wait)
