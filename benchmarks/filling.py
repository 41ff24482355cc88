"""What a new database is filled with before it is copied for the runs: the tables of one side."""

from __future__ import annotations

from django.core.management import call_command


def django(_size: int) -> None:
    call_command("migrate", verbosity=0)


def dbos(_size: int) -> None:
    from benchmarks import dbos_side

    with dbos_side.launched():
        dbos_side.register_queue()


def full_table(size: int) -> None:
    """Fill in a million finished workflows, a hundred thousand queued and as many due later, or `size` percent."""
    share = size / 100
    django(0)
    _fill(finished=int(1_000_000 * share), queued=int(100_000 * share), future=int(100_000 * share))


def empty_table(_size: int) -> None:
    """Fill in nothing but a few thousand workflows to claim."""
    django(0)
    _fill(finished=0, queued=10_000, future=0)


def _fill(*, finished: int, queued: int, future: int) -> None:
    from benchmarks.workflows import one_step
    from durable_django.models import Queue, Workflow

    Queue.objects.sync(["default"])
    one_step.using(id="pattern").start(1)
    _copy("finished", finished, {"status": "'succeeded'", "finished_at": "created_at", "claimed_at": "created_at"})
    _copy("queued", queued, {})
    _copy("future", future, {"run_after": _in_a_day()})
    Workflow.objects.filter(pk="pattern").delete()
    _tidy()


def _copy(prefix: str, count: int, changes: dict[str, str]) -> None:
    """Insert rows like the pattern in one statement, with a number in id and line, and SQL for other columns."""
    from django.db import connection

    from durable_django.models import Workflow

    columns = [str(field.column) for field in Workflow._meta.concrete_fields]
    numbered = {"id": f"'{prefix}-' || number", "line": "number", **changes}
    values = [numbered.get(column, column) for column in columns]
    series = (
        f"WITH RECURSIVE numbers(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {count}) "
    )
    if connection.vendor == "postgresql":
        series = f"WITH numbers AS (SELECT generate_series(1, {count}) AS number) "
    if count:
        with connection.cursor() as cursor:
            cursor.execute(
                f"{series} INSERT INTO durable_django_workflow ({', '.join(columns)}) "
                f"SELECT {', '.join(values)} FROM numbers, durable_django_workflow WHERE id = 'pattern'"
            )


def _in_a_day() -> str:
    from django.db import connection

    if connection.vendor == "postgresql":
        return "now() + interval '1 day' + number * interval '1 second'"
    return "strftime('%Y-%m-%d %H:%M:%f', 'now', '1 day', number || ' seconds')"


def _tidy() -> None:
    """Leave the table as autovacuum would, so that it need not come in the middle of a run."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) durable_django_workflow")
            cursor.execute("CHECKPOINT")
