"""Acting: a verb on the rows that were chosen, each change in one transaction with the record of who did it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import DatabaseError, IntegrityError, OperationalError, models, transaction
from django.utils import translation
from django.utils.translation import gettext

from durable_django.admin.operating.verb import Verb
from durable_django.base.texts import plain, plain_sentence
from durable_django.exceptions import DurableError
from durable_django.models.operation import Change, Operation
from durable_django.models.witnesses import witnessed

#: What the record keeps of a row, before and after.
COLUMNS = {
    "workflow": ("status", "reason", "priority", "run_after", "pruned_at"),
    "queue": (
        "is_paused", "is_edited", "concurrency", "worker_concurrency", "rate_limit", "rate_seconds", "is_partitioned",
        "partition_concurrency", "partition_rate_limit", "partition_rate_seconds",
    ),
    "worker": ("must_drain",),
    "schedule": ("is_paused", "cron", "timezone", "workflow", "queue", "catch_up", "overlap", "jitter_seconds"),
}  # fmt: skip
_MOST_ERRORS = 5


@dataclass
class Order:
    """
    What an operator asked for, and what came of it.

    rows      the model's rows on the database that decides
    ids       of the rows that were chosen
    recorded  ids of the rows that were changed, also of those that had not been chosen, as children are
    errors    why others were not, for people
    """

    verb: Verb
    rows: models.QuerySet[Any]
    user: Any
    ids: list[Any]
    options: Mapping[str, Any]
    reason: str = ""
    form_id: str | None = None
    recorded: set[Any] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    is_repeated: bool = False

    @property
    def changed(self) -> int:
        """How many of those that were chosen were changed."""
        return len(self.recorded.intersection(self.ids))

    @property
    def below(self) -> int:
        """How many others were changed."""
        return len(self.recorded) - self.changed

    @property
    def left(self) -> int:
        """How many of those that were chosen stayed as they were."""
        return len(self.ids) - self.changed


def carry_out(order: Order) -> None:
    """
    Do what was asked for. Each row is changed with its record, or neither.

    Many rows are changed batch by batch: an error leaves what was changed and recorded before. A form that was sent
    before changes nothing.
    """
    if order.form_id and _operations(order).has(order.form_id):
        order.is_repeated = True
        return
    try:
        _on_all(order) if order.verb.on_all else _on_each(order)
    except IntegrityError as error:
        # Of two that send the same form at the same time, the database lets the first one record it.
        if order.form_id and _operations(order).has(order.form_id):
            order.is_repeated = True
        else:
            order.errors.append(spoken_trouble(error))


def _on_all(order: Order) -> None:
    act = order.verb.on_all
    assert act is not None  # noqa: S101 - for the type checker: the caller has looked

    def witness(rows: models.QuerySet[Any]) -> Any:
        return recorded(order, rows)

    with _told(order), witnessed(witness):
        act(order.rows.filter(pk__in=order.ids), {**order.options, "reason": order.reason})


def _on_each(order: Order) -> None:
    for pk in order.ids:
        with _told(order), transaction.atomic(using=order.rows.db):
            _on_one(order, order.rows.filter(pk=pk))


def _on_one(order: Order, rows: models.QuerySet[Any]) -> None:
    act = order.verb.on_each
    row = rows.select_for_update(no_key=True).first()
    if row is None or act is None:
        return
    before = _snapshots(order.verb, rows)
    made = act(row, order.options)
    if made is not None:
        _record(order, [row], before, _snapshots(order.verb, rows), made)


@contextmanager
def recorded(order: Order, rows: models.QuerySet[Any]) -> Iterator[None]:
    """Record what the block changes of some rows. Call it in the transaction of the change."""
    before = _snapshots(order.verb, rows)
    yield
    after = _snapshots(order.verb, rows)
    # What takes several transactions, as a purge does, is recorded in the first one.
    changed = [pk for pk in before if before[pk] != after.get(pk) and pk not in order.recorded]
    if changed:
        # Named by their keys alone: they may be gone.
        _record(order, [order.rows.model(pk=pk) for pk in changed], before, after, {})


@contextmanager
def _told(order: Order) -> Iterator[None]:
    """Turn what rows refuse into words for the operator."""
    try:
        yield
    except (DurableError, ValueError) as error:
        order.errors.append(plain_sentence(error))
    except OperationalError as error:
        order.errors.append(spoken_trouble(error))
    del order.errors[_MOST_ERRORS:]


def spoken_trouble(error: DatabaseError) -> str:
    """Return what an operator is told of an error of the database: its first line, and whether to try again."""
    if isinstance(error, OperationalError):
        said = gettext("The database could not do it now; try again: %(error)s")
    else:
        said = gettext("The database has refused it: %(error)s")
    return said % {"error": plain(str(error).partition("\n")[0])}


def _record(
    order: Order, rows: list[Any], before: dict[Any, dict[str, Any]], after: dict[Any, dict[str, Any]], made: Any
) -> None:
    """Write both records of what became of rows; the log of the admin last, in case it is in another database."""
    changes = [_change(row.pk, before[row.pk], after.get(row.pk, {}), made) for row in rows]
    _operations(order).record(
        changes,
        verb=order.verb.name,
        object_kind=order.verb.kind,
        actor=str(order.user.get_username())[:255],
        reason=order.reason,
        form_id=order.form_id,
        chosen=len(order.ids),
    )
    LogEntry.objects.log_actions(order.user.pk, rows, CHANGE, _log_message(order))
    order.recorded |= {row.pk for row in rows}


def _log_message(order: Order) -> str:
    # As Django's own entries, in no language but the code's: others read them.
    with translation.override(None):
        return f"{order.verb.log} {order.reason}".strip()


def _change(pk: Any, before: dict[str, Any], after: dict[str, Any], made: Mapping[str, Any]) -> Change:
    other = [name for name in before if before[name] != after.get(name)]
    return Change(
        str(pk),
        {name: before[name] for name in other},
        {**{name: after[name] for name in other if name in after}, **made},
    )


def _snapshots(verb: Verb, rows: models.QuerySet[Any]) -> dict[Any, dict[str, Any]]:
    """Return what the record keeps of each row, as JSON can keep it."""
    found = rows.order_by().values("pk", *COLUMNS[verb.kind])
    return {row.pop("pk"): {name: _storable(value) for name, value in row.items()} for row in found}


def _storable(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _operations(order: Order) -> Any:
    return Operation.objects.using(order.rows.db)
