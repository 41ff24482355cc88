"""Permissions: one for each verb of an operator, beside Django's own for looking at rows."""

from __future__ import annotations

from typing import Any

_OF_VERBS = {
    "workflow": {
        "cancel": "Can cancel workflows",
        "pause": "Can pause workflows",
        "resume": "Can resume workflows",
        "send": "Can send messages to workflows",
        "fork": "Can fork workflows",
        "reschedule": "Can reschedule workflows",
        "set_priority": "Can set the priority of workflows",
        "set_attributes": "Can set attributes of workflows",
        "purge": "Can purge workflows",
    },
    "queue": {
        "pause": "Can pause queues",
        "resume": "Can resume queues",
        "edit": "Can edit the limits of queues",
        "revert": "Can revert queues to the limits of the code",
    },
    "schedule": {
        "pause": "Can pause schedules",
        "resume": "Can resume schedules",
        "revert": "Can revert schedules to what the code declares",
        "trigger": "Can trigger schedules",
        "backfill": "Can backfill schedules",
    },
    "worker": {"drain": "Can drain workers"},
}


def of_verbs(kind: str) -> list[tuple[str, Any]]:
    """Return the permissions of a model as its Meta declares them."""
    return [(codename(verb, kind), name) for verb, name in _OF_VERBS[kind].items()]


def codename(verb: str, kind: str) -> str:
    """Return the name of the permission that a verb needs."""
    return f"{verb}_{kind}"
