"""Crowds: thousands of rows made by one statement like a pattern, which the code under test has made."""

from __future__ import annotations

from collections.abc import Iterable

#: What a copy says instead of the pattern: column -> SQL, in which `number` counts the copies from 1.
Changes = dict[str, str]


def copy_workflows(pattern: str, prefix: str, count: int, changes: Changes | None = None) -> None:
    """Insert workflows like the pattern, with a number in id and line."""
    from durable_django.models import Workflow

    numbered = {"id": f"'{prefix}-' || number", "line": "number", **(changes or {})}
    _copy(Workflow._meta.db_table, _columns(Workflow), f"id = '{pattern}'", count, numbered)


def copy_steps(pattern: str, prefix: str, count: int, changes: Changes | None = None) -> None:
    """Give the copies of a workflow its steps."""
    from durable_django.models import Step

    columns = [column for column in _columns(Step) if column != "id"]
    numbered = {"workflow_id": f"'{prefix}-' || number", **(changes or {})}
    _copy(Step._meta.db_table, columns, f"workflow_id = '{pattern}'", count, numbered)


def sleep_until(moments: str, prefix: str, count: int) -> None:
    """Let the first sleepers of a crowd wake at moments: SQL, in which `number` counts them from 1."""
    from django.db import connection

    # Both columns, as the code that lets a workflow sleep has written them.
    number = f"CAST(substr({{}}, {len(prefix) + 2}) AS integer)"
    for table, key, column in (
        ("durable_django_workflow", "id", "run_after"),
        ("durable_django_step", "workflow_id", "next_retry_at"),
    ):
        value = moments.replace("number", number.format(key))
        names = ", ".join(f"'{prefix}-{one}'" for one in range(1, count + 1))
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = {value} WHERE {key} IN ({names})")


def seconds_from_now(seconds: str) -> str:
    """Return the SQL of the moment so many seconds from now by the database's clock; `seconds` is SQL."""
    from django.db import connection

    if connection.vendor == "postgresql":
        return f"clock_timestamp() + ({seconds}) * interval '1 second'"
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds}) || ' seconds')"


def tidy() -> None:
    """Leave the tables as autovacuum would, so that it need not come in the middle of a run."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) durable_django_workflow, durable_django_step")
            cursor.execute("CHECKPOINT")


def _columns(model: type) -> list[str]:
    return [str(field.column) for field in model._meta.concrete_fields]  # type: ignore[attr-defined]


def _copy(table: str, columns: Iterable[str], pattern: str, count: int, changes: Changes) -> None:
    from django.db import connection

    values = [changes.get(column, column) for column in columns]
    series = (
        f"WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {count}) "
    )
    if connection.vendor == "postgresql":
        series = f"WITH numbers AS (SELECT generate_series(1, {count}) AS number) "
    if count:
        with connection.cursor() as cursor:
            cursor.execute(
                f"{series} INSERT INTO {table} ({', '.join(columns)}) "
                f"SELECT {', '.join(values)} FROM numbers, {table} WHERE {pattern}"
            )
