"""Schedules by state, their declarations, and the verbs of operators and workers on many of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, Self

from django.db import models
from django.db.models import Q

from durable_django import signals
from durable_django.base import payloads
from durable_django.base.clock import Epoch, Later, Now, SecondsUntil, instant
from durable_django.base.ticks import MISSED_SECONDS
from durable_django.base.timetable import Declared
from durable_django.models.turns import short_transaction
from durable_django.models.verbs import recorded

if TYPE_CHECKING:
    from durable_django.models.schedule import Schedule

#: The columns that say when it fires.
PLANNING = ("cron", "timezone")
#: The columns that say what it is.
DEFINING = (*PLANNING, "workflow", "queue", "encoded_context", "catch_up", "overlap", "jitter_seconds")
#: One that cannot fire is tried again so often; well within the time in which a tick is only late.
RETRY_SECONDS = 15
#: A tick that waits for the end of a run looks for it so often.
HOLD_SECONDS = 1
UNKNOWN = "No worker that runs now knows its workflow."


def encode_context(value: Any) -> str | None:
    """Return a context as it is stored; None for none. Raises PayloadError."""
    return None if value is None else payloads.encode(value, "context")


class Engine(Protocol):
    """What rows need of the engine, which enters itself below, since models do not import it."""

    def settle(self, schedule: Schedule) -> None:
        """Fire what is due of a schedule whose row is locked; an error is that of the schedule."""

    def trigger(self, schedule: Schedule) -> str:
        """Start its workflow once, now. Return the id."""

    def backfill(self, schedule: Schedule, start: datetime, end: datetime, *, dry_run: bool) -> list[str]:
        """Start what is missing of its ticks. Return the ids."""


_engine: list[Engine] = []


def connect(engine: Engine) -> None:
    """Let rows use this engine."""
    _engine[:] = [engine]


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Schedules, and what is done with many of them."""

    def firing(self) -> Self:
        """Those that are neither paused nor retired."""
        return self.filter(is_paused=False, is_retired=False)

    def paused(self) -> Self:
        """Those that an operator has paused."""
        return self.filter(is_paused=True)

    def broken(self) -> Self:
        """Those that cannot fire, with the reason in `error`."""
        return self.exclude(error="")

    def planned(self) -> Self:
        """Those that a worker looks at sooner or later, the next one first (index durable_schedule_next)."""
        return self.filter(next_at__isnull=False).order_by("next_at")

    def update(self, **columns: Any) -> int:
        """Change columns, and let a worker plan anew what fires otherwise now. See Schedule.save()."""
        if "context" in columns:
            columns["encoded_context"] = encode_context(columns.pop("context"))
        if not columns.keys() & {*DEFINING, "is_paused", "is_retired"}:
            return self.write(**columns)
        with short_transaction(self.db):
            ids = list(self.values_list("pk", flat=True))
            rows = self.model._default_manager.using(self.db).filter(pk__in=ids)
            rows.settle({column: columns[column] for column in PLANNING if column in columns})
            count = rows.write(**columns)
            rows.plan()
        return count

    update.alters_data = True  # type: ignore[attr-defined]

    def write(self, **columns: Any) -> int:
        """Change columns and nothing else; for the verbs."""
        return super().update(**columns)

    # -- verbs of operators -----------------------------------------------------------------------------------------

    @recorded("pause")
    def pause(self) -> int:
        """Let these fire no more; what runs goes on. Return how many were not paused yet."""
        return self.filter(is_paused=False).write(is_paused=True, next_at=None)

    @recorded("resume")
    def resume(self) -> int:
        """
        Let these fire again. Return how many were paused.

        The ticks of the pause count as missed, so their catch_up decides: "skip" fires none of them, "latest" the
        newest, "all" each.
        """
        count = self.filter(is_paused=True).write(is_paused=False, resumed_at=Now(), next_at=Now(), error="")
        return self._tell(count)

    @recorded("revert")
    def revert(self) -> int:
        """Make those that were edited what the code declares again. Return how many were edited."""
        edited = [row for row in self.filter(declared__isnull=False) if row.is_edited]
        for row in edited:
            self.model._default_manager.using(self.db).filter(pk=row.pk).update(**row.declared_columns)
        return len(edited)

    def trigger(self) -> int:
        """
        Start the workflow of each once, now, whatever its state, the clock and its runs are. Return how many.

        In the caller's transaction, all or none. Raises UnknownWorkflow if their code is not loaded here, and what
        starting raises. In a workflow or a step it starts each once, however often that code runs.
        """
        return len(self.triggered())

    @recorded("trigger")
    def triggered(self) -> list[str]:
        """See trigger(). Return the ids of the workflows."""
        with short_transaction(self.db):
            return [_engine[0].trigger(row) for row in self.order_by("pk")]

    def backfill(self, start: datetime, end: datetime, *, dry_run: bool = False) -> int:
        """
        Start what is missing of the ticks from `start` until before `end`. Return how many workflows that are.

        start, end  aware moments; naive ones in the default zone if USE_TZ is off. What has not come yet is left out
        dry_run     only look what would be started

        Missing are ticks that have no workflow with their id: never fired, or purged. Catch-up, overlap and jitter do
        not count. Doing it again goes on where it was interrupted. Raises ValueError for more than 10,000 ticks of one
        schedule, before anything is started.
        """
        return len(self.backfilled(start, end, dry_run=dry_run))

    @recorded("backfill", is_atomic=False)
    def backfilled(self, start: datetime, end: datetime, *, dry_run: bool = False) -> list[str]:
        """See backfill(). Return the ids of the workflows."""
        rows = list(self.order_by("pk"))
        return [each for row in rows for each in _engine[0].backfill(row, start, end, dry_run=dry_run)]

    # -- declarations -----------------------------------------------------------------------------------------------

    def sync(self, declared: Iterable[Declared], application: str) -> None:
        """
        Let rows say what the code declares; the code that says it last wins, but an operator's edit wins over it.

        One query if nothing has changed. A row that was retired comes back, and fires what comes from now on.
        """
        wanted = {each.name: each.columns() for each in declared}
        found = {row.name: row for row in self.filter(name__in=wanted)}
        missing = [
            self.model(
                name=name, declared=columns, application=application, fired_until=Now(), next_at=Now(), **columns
            )
            for name, columns in wanted.items()
            if name not in found
        ]
        self.bulk_create(missing, ignore_conflicts=True)
        for name, row in found.items():
            if row.declared != wanted[name] or row.is_retired:
                self._redeclare(row.pk, wanted[name])

    def _redeclare(self, pk: int, columns: dict[str, Any]) -> None:
        rows = self.filter(pk=pk)
        with short_transaction(self.db):
            row = rows.select_for_update(no_key=True).first()
            if row is None:
                return
            said = row.declared or {}
            # What is not as the code had it was changed by an operator; so was a row that no code had declared.
            changes = {key: value for key, value in columns.items() if key in said and getattr(row, key) == said[key]}
            rows.settle({key: changes[key] for key in PLANNING if key in changes})
            revived = {"is_retired": False, "fired_until": Now()} if row.is_retired else {}
            rows.write(declared=columns, **changes, **revived)
            rows.plan()

    def retire(self, names: Collection[str], application: str) -> int:
        """Stop those that the code of this application has declared and declares no more. Return how many."""
        rows = self.filter(declared__isnull=False, application=application, is_retired=False)
        return rows.exclude(name__in=names).write(is_retired=True, next_at=None)

    def settle(self, changes: Mapping[str, Any]) -> None:
        """
        Before a change of what says when they fire: fire what is due still, then let ticks count from now on.

        changes  the new values; for rows that say the same already, nothing happens
        """
        is_other = Q()
        for column, value in changes.items():
            is_other |= ~Q(**{column: value})
        if not changes:
            return
        changed = list(self.filter(is_other).select_for_update(no_key=True).order_by("pk").annotate(**_INSTANTS))
        for row in changed:
            _engine[0].settle(row)
        self.filter(pk__in=[row.pk for row in changed]).write(fired_until=Now())

    def plan(self) -> None:
        """Let a worker look at them at once."""
        self.firing().write(next_at=Now(), error="")
        self.exclude(is_paused=False, is_retired=False).write(next_at=None)
        self._tell(1)

    def _tell(self, count: int) -> int:
        if count:
            signals.schedules_changed.send_robust(sender=None, alias=self.db)
        return count

    # -- verbs of workers -------------------------------------------------------------------------------------------

    def next_known(self, names: Collection[str], limit: int) -> list[tuple[int, float]]:
        """Return the next ones whose workflow is among the names, each with the seconds until then."""
        known = self.planned().filter(workflow__in=names)
        return list(known.values_list("pk", SecondsUntil("next_at"))[:limit])

    def lock_due(self, pk: int) -> Schedule | None:
        """Lock one that is due until the transaction ends. None if somebody else has it, or it is due no more."""
        rows = self.filter(pk=pk, next_at__lte=Now()).annotate(**_INSTANTS)
        return rows.select_for_update(skip_locked=True, no_key=True).first()

    def hold(self) -> None:
        """Look at these again in a moment: a run has to end first."""
        self.write(next_at=Later(HOLD_SECONDS), error="")

    def unplan(self) -> None:
        """Look at these no more: they do not fire."""
        self.write(next_at=None)

    def mark_broken(self, reason: str) -> bool:
        """Note why these cannot fire, and try again in a while. Return whether that is news."""
        is_news = self.exclude(error=reason).exists()
        self.write(error=reason, next_at=Later(RETRY_SECONDS))
        return is_news

    def mark_unknown(self, names: Collection[str]) -> int:
        """Note of those that are long due that nobody knows their workflow; who does fires them at once."""
        rows = self.firing().filter(next_at__lt=Later(-MISSED_SECONDS), error="")
        return rows.exclude(workflow__in=names).write(error=UNKNOWN)

    def now(self) -> datetime:
        """Return the database's clock; there must be one row."""
        return instant(self.values_list(Epoch(Now()), flat=True).get())


_INSTANTS: dict[str, Any] = {
    "now_epoch": Epoch(Now()),
    "fired_epoch": Epoch("fired_until"),
    "resumed_epoch": Epoch("resumed_at"),
    "is_due": models.ExpressionWrapper(Q(next_at__lte=Now()), output_field=models.BooleanField()),
}
