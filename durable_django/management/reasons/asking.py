"""Why each of some workflows does not go on: whom to ask about it, by its state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from durable_django.management.reasons.queues import Queues
from durable_django.management.reasons.waits import Waits
from durable_django.management.reasons.wording import left, quoted, spoken_moment
from durable_django.management.reasons.workers import Workers
from durable_django.models.status import Status
from durable_django.models.stops import DEADLINE_PASSED
from durable_django.models.workflow import Workflow
from durable_django.redaction import Redact

#: What is read of a row; columns that were deferred would cost a query each.
COLUMNS = (
    "id", "name", "status", "queue", "partition_key", "reason", "worker", "attempt", "recoveries", "failures",
    "run_after", "waiting_for", "pruned_at", "application",
)  # fmt: skip


def why(rows: Sequence[Workflow], redact: Redact | None = None) -> dict[str, str]:
    """
    Return why each of these workflows does not go on, in one sentence, by id; empty if there is nothing to say.

    rows    as read from one database, at least COLUMNS, with the clock of it: .annotate(now=Now())
    redact  hides secrets in the last error of what is tried again; None: no error is read

    At most three queries for each state that occurs among them, however many there are, each by an index. What is
    queued and runs for the first time may cost one more for each queue with a rate of its partitions.
    """
    if not rows:
        return {}
    alias = rows[0]._state.db or "default"
    by_status: dict[str, list[Workflow]] = {status: [] for status in Status.values}
    for row in rows:
        if row.pruned_at is None:
            by_status.setdefault(row.status, []).append(row)
    found = {row.pk: row.reason if row.pruned_at is None else _gone() for row in rows}
    for status, tell in _TELLING.items():
        if by_status[status]:
            found |= tell(alias, by_status[status], redact)
    return found


def _queued(alias: str, rows: list[Workflow], redact: Redact | None) -> dict[str, str]:
    queues = Queues(alias, rows)
    put_back = [row for row in rows if row.attempt and _is_later(row)]
    waits = Waits(alias, put_back, redact) if put_back else None
    return {row.pk: _of_queued(row, queues, waits) for row in rows}


def _of_queued(row: Workflow, queues: Queues, waits: Waits | None) -> str:
    if queues.is_paused(row):
        return _("queue %(queue)s is paused") % {"queue": quoted(row.queue)}
    if row.waiting_for == "code" and not queues.is_taken_up(row, _now(row)):
        return _("no live worker knows %(name)s: start one with its code") % {"name": quoted(row.name)}
    if _is_later(row) and row.waiting_for != "code":
        return (waits.retry(row, _now(row)) if waits and row.attempt else "") or _later(row)
    if row.worker:
        return _("its last attempt on worker %(worker)s has not let go yet") % {"worker": quoted(row.worker)}
    return queues.reason(row, _now(row))


def _later(row: Workflow) -> str:
    due = row.run_after or _now(row)
    facts = {"moment": spoken_moment(due), "left": left(due, _now(row)), "lost": row.recoveries}
    if row.recoveries:
        said = ngettext(
            "runs again in %(left)s, since a worker was lost with it",
            "runs again in %(left)s, since %(lost)d workers in a row were lost with it",
            row.recoveries,
        )
        return said % facts
    return _("is not due before %(moment)s (in %(left)s)") % facts


def _waiting(alias: str, rows: list[Workflow], redact: Redact | None) -> dict[str, str]:
    waits = Waits(alias, rows, redact)
    return {row.pk: waits.reason(row, _now(row)) for row in rows}


def _running(alias: str, rows: list[Workflow], _redact: Redact | None) -> dict[str, str]:
    workers = Workers(alias, rows)
    return {row.pk: workers.reason(row) for row in rows}


def _stopped(alias: str, rows: list[Workflow], _redact: Redact | None) -> dict[str, str]:
    held = [row for row in rows if row.worker]
    workers = Workers(alias, held) if held else None
    return {row.pk: _of_stopped(row, workers) for row in rows}


def _of_stopped(row: Workflow, workers: Workers | None) -> str:
    said = _given(row.reason) or (_("paused by an operator") if row.status == Status.PAUSED else "")
    still = workers.letting_go(row) if workers is not None else ""
    return _("%(what)s; %(still)s") % {"what": said, "still": still} if said and still else said or still


def _given(reason: str) -> str:
    """Return the reason that a row keeps; what the engine has given is translated only here."""
    return _("its deadline passed") if reason == DEADLINE_PASSED else reason


def _gone() -> str:
    return _("its retention is over: arguments, steps and outcome are gone")


def _is_later(row: Workflow) -> bool:
    return row.run_after is not None and row.run_after > _now(row)


def _now(row: Workflow) -> datetime:
    now: datetime = vars(row)["now"]
    return now


_Tell = Callable[[str, list[Workflow], Any], dict[str, str]]
_TELLING: dict[str, _Tell] = {
    Status.QUEUED: _queued,
    Status.WAITING: _waiting,
    Status.RUNNING: _running,
    Status.PAUSED: _stopped,
    Status.CANCELLED: _stopped,
}
