"""The verbs by which workflows and everybody else talk to each other: messages, events, streams."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from asgiref.sync import markcoroutinefunction

from durable_django.api.durations import seconds_of
from durable_django.api.handles import require_may_wait
from durable_django.api.patience import Patience, patiently, pauses
from durable_django.api.twins import patient_twin, twin
from durable_django.base import ids, payloads
from durable_django.engine import context, eventing, messaging, stepping, streaming
from durable_django.engine.messaging import Letter
from durable_django.exceptions import EventTimeout, OutsideWorkflow, ReceiveTimeout, WorkflowNotFound

_LONGEST_KEY = 255


class _Missing:
    """No default was given."""

    def __repr__(self) -> str:
        return "<no default>"


MISSING: Any = _Missing()


@dataclass(frozen=True)
class Message:
    """One message for send_many()."""

    workflow_id: str
    value: Any
    topic: str = ""
    idempotency_key: str | None = None


def send(workflow_id: str, value: Any, topic: str = "", idempotency_key: str | None = None) -> None:
    """
    Send a message to a workflow, in the caller's transaction.

    workflow_id      an id, or a handle's .id
    value            anything that may be stored
    topic            up to 255 characters; only a receive() on the same topic gets it
    idempotency_key  a second message with the same key to the same workflow is dropped

    Delivered exactly once from a workflow, from an atomic step, or with a key; a plain step that runs again the same
    way sends nothing twice. The row of the receiver is locked until the transaction commits, so send last.
    Raises WorkflowNotFound, WorkflowFinished if it has ended, PayloadError.
    """
    send_many([Message(workflow_id, value, topic, idempotency_key)])


@markcoroutinefunction
def asend(
    workflow_id: str, value: Any, topic: str = "", idempotency_key: str | None = None
) -> Coroutine[Any, Any, None]:
    """See send()."""
    return twin("asend()", partial(send, workflow_id, value, topic, idempotency_key))


def send_many(messages: Iterable[Message]) -> None:
    """Send several messages in one transaction, all or none. Raises as send() does."""
    letters = [_letter(message) for message in messages]
    if letters:
        messaging.send(letters)


@markcoroutinefunction
def asend_many(messages: Iterable[Message]) -> Coroutine[Any, Any, None]:
    """See send_many()."""
    return twin("asend_many()", partial(send_many, messages))


def _letter(message: Message) -> Letter:
    return Letter(
        workflow_id=ids.validate_id(message.workflow_id),
        topic=_topic_of(message.topic),
        value=payloads.encode(message.value, path="the message"),
        key=None if message.idempotency_key is None else key_of(message.idempotency_key, "idempotency_key"),
    )


def receive(topic: str = "", timeout: float | timedelta | None = 60, default: Any = MISSING) -> Any:
    """
    Return the next message on a topic, first in, first out for each sender; the workflow suspends until there is one.

    timeout  seconds, or a timedelta; None waits for ever
    default  returned instead of raising when none came in time

    Each message is received by exactly one receive(), and the answer is recorded. Raises ReceiveTimeout;
    OutsideWorkflow outside a workflow and in a step.
    """
    topic, seconds = _topic_of(topic), _timeout_of(timeout)
    try:
        return messaging.receive(topic, seconds)
    except ReceiveTimeout:
        if default is MISSING:
            raise
        return default


@markcoroutinefunction
def areceive(
    topic: str = "", timeout: float | timedelta | None = 60, default: Any = MISSING
) -> Coroutine[Any, Any, Any]:
    """See receive()."""
    return twin("areceive()", partial(receive, topic, timeout, default))


def set_event(key: str, value: Any) -> None:
    """
    Publish a value of this workflow under a key, or replace it.

    Exactly once from a workflow or an atomic step, at least once from a plain step. Raises PayloadError;
    OutsideWorkflow outside a workflow.
    """
    eventing.set_event(key_of(key, "key"), payloads.encode(value, path=f"event {key!r}"))


@markcoroutinefunction
def aset_event(key: str, value: Any) -> Coroutine[Any, Any, None]:
    """See set_event()."""
    return twin("aset_event()", partial(set_event, key, value))


def get_event(workflow_id: str, key: str, timeout: float | timedelta | None = 60, default: Any = MISSING) -> Any:
    """
    Return the value of an event; wait until it is set, even by a workflow that does not exist yet.

    timeout  seconds, or a timedelta; None waits for ever
    default  returned instead of raising when it is not set in time

    In a workflow the wait suspends, and the value that was read never changes on replay. Raises EventTimeout, at once
    if the workflow has ended without the event; WorkflowNotFound if its row is deleted meanwhile; InsideTransaction if
    it would have to wait inside atomic().
    """
    workflow_id, key, seconds = ids.validate_id(workflow_id), key_of(key, "key"), _timeout_of(timeout)
    try:
        if context.current_run() is not None and context.current_step() is None:
            return eventing.get_event(workflow_id, key, seconds)
        return patiently(_event(workflow_id, key, seconds, MISSING))
    except EventTimeout:
        if default is MISSING:
            raise
        return default


@markcoroutinefunction
def aget_event(
    workflow_id: str, key: str, timeout: float | timedelta | None = 60, default: Any = MISSING
) -> Coroutine[Any, Any, Any]:
    """See get_event()."""
    call = partial(get_event, workflow_id, key, timeout, default)
    workflow_id, key, seconds = ids.validate_id(workflow_id), key_of(key, "key"), _timeout_of(timeout)
    return patient_twin("aget_event()", call, partial(_event, workflow_id, key, seconds, default))


def _event(workflow_id: str, key: str, timeout: float | None, default: Any) -> Patience[Any]:
    alias, waiting, was_there = context.alias_of_workflows(), pauses(timeout), False
    while True:
        found = eventing.find(alias, workflow_id, key)
        if found.value is not None:
            return payloads.decode(found.value)
        if was_there and not found.exists:
            raise WorkflowNotFound(workflow_id=workflow_id)
        was_there = found.exists
        pause = None if found.has_ended else next(waiting, None)
        if pause is None:
            break
        _require_may_wait(f"get_event() of {key!r} of workflow {workflow_id!r}")
        yield pause
    if default is MISSING:
        raise eventing.missing(workflow_id, key, timeout, found)
    return default


def get_events(workflow_id: str) -> dict[str, Any]:
    """
    Return every event of a workflow by key, without waiting; in a workflow what was read never changes on replay.

    Raises WorkflowNotFound if there is no such workflow.
    """
    return stepping.perform(eventing.GET_ALL, (ids.validate_id(workflow_id),), {})  # type: ignore[no-any-return]


@markcoroutinefunction
def aget_events(workflow_id: str) -> Coroutine[Any, Any, dict[str, Any]]:
    """See get_events()."""
    return stepping.aperform(eventing.GET_ALL, (ids.validate_id(workflow_id),), {})


def write_stream(key: str, *values: Any) -> None:
    """
    Append values to a stream of this workflow, in order; several of them at once cost little more than one.

    Exactly once from a workflow or an atomic step, at least once from a plain step. Raises StreamClosed, PayloadError;
    OutsideWorkflow outside a workflow.
    """
    texts = [payloads.encode(value, path=f"an entry of stream {key!r}") for value in values]
    if texts:
        streaming.write(key_of(key, "key"), texts)


def close_stream(key: str) -> None:
    """Close a stream of this workflow, which its end does otherwise: readers come to an end. Twice is fine."""
    streaming.write(key_of(key, "key"), streaming.CLOSING)


@markcoroutinefunction
def awrite_stream(key: str, *values: Any) -> Coroutine[Any, Any, None]:
    """See write_stream()."""
    return twin("awrite_stream()", partial(write_stream, key, *values))


@markcoroutinefunction
def aclose_stream(key: str) -> Coroutine[Any, Any, None]:
    """See close_stream()."""
    return twin("aclose_stream()", partial(close_stream, key))


def _require_may_wait(operation: str) -> None:
    if context.current_step() is not None:
        advice = "A step runs to its end in one piece: wait in the workflow, and pass what came to the step."
        raise OutsideWorkflow(operation=operation, where="outside of steps, if it has to wait", advice=advice)
    require_may_wait(operation)


def key_of(value: Any, argument: str) -> str:
    """Return a key of an event, a stream or a message. Raises TypeError or ValueError, naming the argument."""
    if not isinstance(value, str):
        message = f"{argument} must be a str, got {value!r}."
        raise TypeError(message)
    if not value or len(value) > _LONGEST_KEY or not value.isprintable():
        message = f"{argument} must have 1 to {_LONGEST_KEY} printable characters, got {value[:80]!r}."
        raise ValueError(message)
    return value


def _topic_of(value: Any) -> str:
    return key_of(value, "topic") if value != "" else ""


def _timeout_of(value: float | timedelta | None) -> float | None:
    return None if value is None else seconds_of(value, "timeout")
