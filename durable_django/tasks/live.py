"""The TaskResult of a task that runs: its moments are read from the row only if somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from durable_django.tasks.sources import AnyResult


class _Moment:
    """An attribute that is read with the others of its kind, on first use."""

    def __init__(self, column: str) -> None:
        self.column = column

    def __get__(self, result: Any, _owner: type | None = None) -> Any:
        if result is None:
            return self
        if self.column not in result.__dict__:
            result.load()
        return result.__dict__[self.column]

    def __set__(self, result: Any, value: datetime | None) -> None:
        # None is what the constructor is given; a refresh brings moments.
        if value is not None:
            result.__dict__[self.column] = value


class LiveResult(AnyResult):
    """A result whose moments cost no query until they are asked for: few tasks and receivers do."""

    enqueued_at = _Moment("created_at")
    started_at = _Moment("started_at")
    last_attempted_at = _Moment("claimed_at")
    finished_at = _Moment("finished_at")

    def __init__(self, moments: Callable[[], Mapping[str, datetime | None]], **fields: Any) -> None:
        object.__setattr__(self, "_moments", moments)
        never: dict[str, Any] = dict.fromkeys(("enqueued_at", "started_at", "last_attempted_at", "finished_at"))
        super().__init__(**never, **fields)

    def load(self) -> None:
        """Read the moments now: where a query is impossible later, as in an event loop."""
        moments: Callable[[], Mapping[str, Any]] = self.__dict__["_moments"]
        self.__dict__.update({**moments(), **self.__dict__})
