"""Steps per second in one workflow that is called in the measured process; beside it, INSERTs of the same rows."""

from __future__ import annotations

from typing import Any

from benchmarks import laps
from benchmarks.child import url_of_this_run
from benchmarks.measurement import Measurement, Row, Target
from benchmarks.places import driver, is_sqlite

MEASUREMENT = Measurement(
    name="steps",
    size=500,
    quick_size=200,
    sides=("durable", "dbos", "raw", "orm"),
    rows=(
        Row(
            "rate",
            "steps per second in one sequential workflow",
            (
                Target("postgresql", of="dbos", at_least=4),
                Target("postgresql", of="raw", at_least=1 / 1.8),
                Target("sqlite", of="dbos", at_least=5),
            ),
        ),
    ),
)


def durable(size: int) -> dict[str, float]:
    from benchmarks.workflows import sequence

    return {"rate": sequence(size)}


def dbos(size: int) -> dict[str, float]:
    from benchmarks import dbos_side

    with dbos_side.launched():
        return {"rate": dbos_side.sequence(size)}


def raw(size: int) -> dict[str, float]:
    """INSERT the same row as a step's by the driver alone; each commits by itself, which spares BEGIN and COMMIT."""
    execute = driver(url_of_this_run()).execute
    mark = "?" if is_sqlite(url_of_this_run()) else "%s"
    columns = _columns(0)
    statement = (
        f"INSERT INTO durable_django_step ({', '.join(columns)}, started_at, finished_at) "
        f"VALUES ({', '.join([mark] * len(columns))}, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
    )
    return {"rate": laps.rate(lambda number: execute(statement, list(_columns(number).values())), size)}


def orm(size: int) -> dict[str, float]:
    from django.utils import timezone

    from durable_django.models import Step

    def create(number: int) -> None:
        Step.objects.create(**_columns(number), started_at=timezone.now(), finished_at=timezone.now())

    return {"rate": laps.rate(create, size)}


def _columns(number: int) -> dict[str, Any]:
    return {
        "workflow_id": "raw",
        "branch": "",
        "position": number,
        "name": "add_one",
        "kind": "step",
        "output": str(number + 1),
        "error": None,
        "attempt": 1,
        "retries": 0,
    }
