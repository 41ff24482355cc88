"""Log records of users' own code: a filter that adds in which workflow, attempt and step they were written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from durable_django.base.texts import plain

#: What each record gets, and what it is outside of workflows: formats can name all of them.
NOWHERE: Mapping[str, Any] = {"workflow_id": "", "workflow": "", "attempt": 0, "step": "", "position": 0}
_sources: list[Callable[[], Mapping[str, Any]]] = []


def connect(source: Callable[[], Mapping[str, Any]]) -> None:
    """Ask this function from now on where the code is that logs."""
    _sources[:] = [source]


class WorkflowFilter(logging.Filter):
    """
    A filter for handlers in LOGGING: each record says where it was written, and all pass.

    It adds `workflow_id`, `workflow` (the name), `attempt`, `step` and `position`; outside of workflows, and of steps,
    empty texts and zeros. What a record says itself stays. Control characters are escaped: a format that names these
    writes one line, whatever other hands have written into a row.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the facts. Return True."""
        facts = {**NOWHERE, **(_sources[0]() if _sources else {})}
        for name, value in facts.items():
            said = getattr(record, name, value)
            setattr(record, name, plain(said) if isinstance(said, str) else said)
        return True
