"""Crowds of rows, made by the database out of one: to make and send each of them takes most of the time of a test."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, models
from django.utils import timezone

from durable_django.models import Workflow

_NUMBERS = "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < %s)"


def rows(count: int, **columns: Any) -> list[Workflow]:
    """Return unsaved workflows, alike but for id and line."""
    start = Workflow.objects.count()
    return [
        Workflow(
            id=id_of(number),
            line=number,
            name="sample.two_marks",
            arguments='{"args":["a"],"kwargs":{}}',
            fingerprint="x",
            max_recoveries=20,
            created_at=timezone.now(),
            **columns,
        )
        for number in range(start, start + count)
    ]


def id_of(number: int) -> str:
    """Return the id of one of rows() or crowd(), which count from 0."""
    return f"w-{number:08}"


def crowd(count: int, **columns: Any) -> None:
    """Insert what rows() returns."""
    (first,) = rows(1, **columns)
    Workflow.objects.bulk_create([first])
    multiply(first, count, id=ids_after(first.line), line=f"{first.line} + numbers.number")


def multiply(row: models.Model, count: int, **differing: str) -> None:
    """
    Insert copies of a row, so that there are so many with itself.

    differing  SQL of the columns that are not as in the row; in it, numbers.number counts from 1
    """
    if count < 2:
        return
    table = row._meta.db_table
    columns = [field.column for field in row._meta.concrete_fields if not isinstance(field, models.AutoField)]
    named = ", ".join(f'"{column}"' for column in columns)
    taken = ", ".join(differing.get(column, f'{table}."{column}"') for column in columns)
    key = row._meta.pk.column  # type: ignore[union-attr]
    with connection.cursor() as cursor:
        cursor.execute(
            f'{_NUMBERS} INSERT INTO {table} ({named}) SELECT {taken} FROM {table}, numbers WHERE {table}."{key}" = %s',
            [count - 1, row.pk],
        )


def ids_after(number: int) -> str:
    """Return the SQL of the ids behind one of rows()."""
    return f"'w-' || substr(CAST({100_000_000 + number} + numbers.number AS text), 2)"


def milliseconds_after(moment: datetime) -> str:
    """Return the SQL of one millisecond after the other, as the moment of a column."""
    if connection.vendor == "postgresql":
        return f"timestamptz '{moment.isoformat()}' + numbers.number * interval '1 millisecond'"
    seconds = "(numbers.number / 1000.0) || ' seconds'"
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f', '{moment:%Y-%m-%d %H:%M:%S.%f}', {seconds}) || '000'"
