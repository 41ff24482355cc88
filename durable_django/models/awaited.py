"""What a WAITING row waits for, as its column says it: the one thing by which a sender finds whom to wake."""

from __future__ import annotations

#: Several branches wait for several things: whoever brings one of them wakes it.
FOR_SEVERAL = "*"
FOR_TIME = "time"
FOR_RETRY = "retry"
#: What texts that name a workflow begin with, and what comes right behind all of those.
OF_WORKFLOWS = (("child:", "child;"), ("event:", "event;"))


def for_message(topic: str) -> str:
    """Return the text of waiting for a message on a topic."""
    return f"message:{topic}"


def for_event(workflow_id: str, key: str) -> str:
    """Return the text of waiting for an event of a workflow."""
    return f"event:{workflow_id}:{key}"


def behind_events(workflow_id: str) -> str:
    """Return the text that comes right behind those of every event of a workflow."""
    return f"event:{workflow_id};"


def for_end(workflow_id: str) -> str:
    """Return the text of waiting for the end of a workflow."""
    return f"child:{workflow_id}"


def workflow_of(text: str) -> str | None:
    """Return the workflow that a text names; None if nobody can tell where its id ends, since keys may have colons."""
    kind, _colon, rest = text.partition(":")
    if kind == "child":
        return rest
    workflow_id, _colon, key = rest.partition(":")
    return None if ":" in key else workflow_id
