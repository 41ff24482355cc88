"""The schedules that the loaded code declares, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from durable_django.base import registry
from durable_django.base.registry import Registered

#: What a schedule can give to its workflow; nothing else.
GIVEN = ("scheduled_at", "context")


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One schedule as the code declares it; `given_name` None means the name of the workflow."""

    registered: Registered
    given_name: str | None
    cron: str
    timezone: str
    queue: str
    catch_up: str
    overlap: str
    jitter_seconds: float

    @property
    def name(self) -> str:
        """The name: the given one, else that of the workflow."""
        return self.given_name or self.registered.name

    def columns(self) -> dict[str, Any]:
        """Return what the row says, by column."""
        return {
            "workflow": registry.workflows.settle_name_of(self.registered),
            "cron": self.cron,
            "timezone": self.timezone,
            "queue": self.queue,
            "catch_up": self.catch_up,
            "overlap": self.overlap,
            "jitter_seconds": self.jitter_seconds,
        }


class Timetable:
    """The declared schedules of this process; names are settled when they are asked for."""

    def __init__(self) -> None:
        self._declared: list[Declared] = []

    def add(self, declared: Declared) -> None:
        """Remember a declaration."""
        self._declared.append(declared)

    def by_name(self) -> dict[str, Declared]:
        """Return them; of two with one name the first, but the last one of a module that was loaded again."""
        found: dict[str, Declared] = {}
        for each in self._declared:
            holder = found.get(each.name)
            if holder is None or _replaces(each, holder):
                found[each.name] = each
        return found

    def clashes(self) -> list[str]:
        """Return a sentence for each name that two schedules claim; the system check reports them."""
        found = self.by_name()
        return [
            f"Two schedules are named {each.name!r}, of {found[each.name].registered.place} and of "
            f"{each.registered.place}. Give one of them another name: @schedule('{each.cron}', name='...')."
            for each in self._declared
            if each is not found[each.name] and not _replaces(found[each.name], each)
        ]


def _replaces(later: Declared, earlier: Declared) -> bool:
    """Whether both are one decorator of the source: a reloaded module registers its functions again."""
    mine, others = later.registered, earlier.registered
    return mine is not others and mine.is_same_as(others)


schedules = Timetable()


def given_to(registered: Registered) -> list[str]:
    """Return which of the names that a schedule can give the function takes."""
    parameters = registered.signature.parameters.values()
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    named = {each.name for each in parameters if each.kind in {each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY}}
    return [name for name in GIVEN if takes_any or name in named]


def wanting(registered: Registered) -> list[str]:
    """Return the parameters without a default that a schedule cannot give."""
    kinds = {"VAR_KEYWORD", "VAR_POSITIONAL"}
    return [
        each.name
        for each in registered.signature.parameters.values()
        if each.default is each.empty and each.kind.name not in kinds and each.name not in given_to(registered)
    ]
