"""@schedule: cron text above a workflow, synced to a row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from django.utils import timezone as django_timezone

from durable_django.api.declaring import LONGEST_NAME, is_name
from durable_django.api.durations import seconds_of
from durable_django.api.workflows import WorkflowDefinition
from durable_django.base import cron as cron_texts
from durable_django.base import ids, ticks, timetable
from durable_django.base.clock import instant
from durable_django.base.timetable import Declared
from durable_django.exceptions import RegistrationError
from durable_django.models.schedule import LONGEST_JITTER_SECONDS, CatchUp, Overlap

P = ParamSpec("P")
R = TypeVar("R")


def schedule(  # noqa: PLR0913 - one keyword per option
    cron: str,
    *,
    name: str | None = None,
    timezone: str | None = None,
    queue: str | None = None,
    catch_up: str = "latest",
    overlap: str = "allow",
    jitter: float | timedelta = 0,
) -> Callable[[WorkflowDefinition[P, R]], WorkflowDefinition[P, R]]:
    """
    Start a workflow whenever the clock says so; stands above @workflow.

    cron      five fields (minute, hour, day, month, weekday), or six with the second first
    name      of the schedule, unique; the name of the workflow by default
    timezone  IANA name; TIME_ZONE by default. A local time that is repeated fires once, one that is skipped at the
              next valid minute
    queue     a declared queue; that of the workflow by default
    catch_up  ticks that nobody fired for a minute: "skip" them, fire the "latest", or "all" (of more than 1,000 the
              newest)
    overlap   a tick while a run has not ended: "allow" starts it, "skip" drops it, "queue" lets it wait for the end
    jitter    seconds, or a timedelta, of up to a day: each run begins up to so much later

    The workflow is called with `scheduled_at=`, the tick in the schedule's zone, and with `context=` from its row, if
    it takes them. Each tick starts it once, under the id `schedule:<name>:<UTC instant>`, however many workers there
    are and whichever of them die. Raises RegistrationError for what could never fire.
    """
    zone = timezone or django_timezone.get_default_timezone_name()

    def declare(definition: WorkflowDefinition[P, R]) -> WorkflowDefinition[P, R]:
        _require_definition(definition, cron)
        declared = Declared(
            registered=definition.registered,
            given_name=name,
            cron=cron,
            timezone=zone,
            queue=queue or "",
            catch_up=catch_up,
            overlap=overlap,
            jitter_seconds=_seconds_of(jitter),
        )
        _require_sound(declared)
        timetable.schedules.add(declared)
        return definition

    return declare


def _require_definition(definition: Any, cron: str) -> None:
    if not isinstance(definition, WorkflowDefinition):
        message = f"@schedule({cron!r}) stands above @workflow, and takes what that makes, got {definition!r}."
        raise RegistrationError(message=message)
    if wanting := timetable.wanting(definition.registered):
        given = " and ".join(timetable.GIVEN)
        message = (
            f"{definition!r} needs {', '.join(wanting)}, which a schedule cannot give: only {given}. "
            "Give it a default, or start it in a workflow of its own."
        )
        raise RegistrationError(message=message)


def _seconds_of(jitter: Any) -> float:
    try:
        seconds = seconds_of(jitter, "jitter")
    except (TypeError, ValueError) as error:
        raise RegistrationError(message=f"@schedule(): {error}") from None
    if seconds > LONGEST_JITTER_SECONDS:
        message = f"@schedule(jitter=) must be at most a day ({LONGEST_JITTER_SECONDS:g} seconds), got {jitter!r}."
        raise RegistrationError(message=message)
    return seconds


def _require_sound(declared: Declared) -> None:
    if declared.given_name is not None and not is_name(declared.given_name):
        message = f"A schedule's name must have 1 to {LONGEST_NAME} printable characters, got {declared.given_name!r}."
        raise RegistrationError(message=message)
    _require_short(declared)
    for argument, choices in (("catch_up", CatchUp.values), ("overlap", Overlap.values)):
        if getattr(declared, argument) not in choices:
            message = (
                f"@schedule({argument}=) must be one of {', '.join(choices)}, got {getattr(declared, argument)!r}."
            )
            raise RegistrationError(message=message)
    try:
        cron_texts.read(declared.cron, declared.timezone)
    except ValueError as error:
        raise RegistrationError(message=str(error)) from None


def _require_short(declared: Declared) -> None:
    """Raise RegistrationError for a name with which the ids of the workflows would be too long."""
    if declared.given_name is not None:
        try:
            ids.validate_id(ticks.workflow_id(declared.given_name, instant(0)))
        except ValueError as error:
            raise RegistrationError(message=f"@schedule(name={declared.given_name!r}): {error}") from None
