"""What PostgreSQL is told for the time of one transaction, by conditions that always hold; others are told nothing."""

from __future__ import annotations

from typing import Any

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from durable_django.models.compiled import Slot, Statement
from durable_django.models.queue import Queue


class Setting(models.Expression):
    """A condition that gives a setting a value until the transaction of its statement ends."""

    conditional = True

    def __init__(self, name: str, value: str) -> None:
        super().__init__(output_field=models.BooleanField())
        self.name = name
        self.value = value

    def as_sql(self, _compiler: Any, _connection: BaseDatabaseWrapper) -> Any:
        return f"(SELECT set_config('{self.name}', '{self.value}', true)) = '{self.value}'", []


def unhurried(alias: str) -> list[Setting]:
    """
    Return the condition by which a commit is in force before it is on disk.

    PostgreSQL writes its log in order: if the server crashes before such a commit is on disk, nothing that was
    committed later is there either. (Its manual, "Asynchronous Commit".)
    """
    return _told(alias, Setting("synchronous_commit", "off"))


def by_index(alias: str) -> list[Setting]:
    """
    Return the conditions by which later statements go through an index where there is one, row by row.

    Not through the whole table: of one that has no statistics yet, PostgreSQL takes nearly all rows for held by a
    worker. Nor by a bitmap: only a plain scan marks the entries of rows that have changed since, which otherwise each
    claim reads again until the next vacuum. And nothing is compiled: where no index fits, a server before version 18
    takes the way that it was told to avoid for so expensive that it would, which takes longer than the way itself.
    """
    off = ("enable_seqscan", "enable_bitmapscan", "jit")
    return _told(alias, *(Setting(name, "off") for name in off))


def make_durable(alias: str, queue: str) -> None:
    """
    Wait until all that has been committed here is on disk: by a commit of nothing but an empty message in the log.

    queue  the name of any that has a row
    """
    if connections[alias].vendor == "postgresql":
        _EMPTY_MESSAGE.fetch(alias, {"queue": queue})


def _told(alias: str, *settings: Setting) -> list[Setting]:
    return list(settings) if connections[alias].vendor == "postgresql" else []


def _empty_message_query(alias: str) -> Any:
    message = (models.Value(True), models.Value("durable_django"), models.Value(""))
    written = models.Func(*message, function="pg_logical_emit_message", output_field=models.CharField())
    return Queue.objects.using(alias).filter(pk=Slot("queue", models.CharField())).values_list(written).query


_EMPTY_MESSAGE = Statement(_empty_message_query)
