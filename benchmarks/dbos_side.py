"""
The dbos side: the workflows of workflows.py once more, and its processes.

Its best fair configuration: on SQLite the same pragmas as Django's side; while something else is measured it listens to
no queue; a worker limits itself by the size of its thread pool and not by worker_concurrency, because with that it
would take 8 workflows in each polling interval of a second.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, SetEnqueueOptions

from benchmarks import laps
from benchmarks.child import url_of_this_run
from benchmarks.measurement import THREADS
from benchmarks.places import driver, is_sqlite, sqlite_pragmas

QUEUE = "bench"
BOUND_QUEUE = "bound"
TENANTS_QUEUE = "tenants"
VERSION = "bench"


@DBOS.step()
def add_one(number: int) -> int:
    return number + 1


@DBOS.step()
def note_moment() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@DBOS.workflow()
def sequence(count: int) -> float:
    return laps.rate(add_one, count)


@DBOS.workflow()
def one_step(number: int) -> int:
    return add_one(number)


@DBOS.workflow()
def moment_of_body() -> float:
    return note_moment()


@DBOS.workflow()
def hears() -> float:
    DBOS.recv(timeout_seconds=600)
    return note_moment()


@DBOS.workflow()
def has_child() -> float:
    began_at = note_moment()
    DBOS.start_workflow(one_step, 1).get_result()
    return note_moment() - began_at


@DBOS.workflow()
def fans_out(count: int) -> float:
    """Start the children in its own process, which is faster than a queue of dbos."""
    began_at = note_moment()
    handles = [DBOS.start_workflow(one_step, number) for number in range(count)]
    for handle in handles:
        handle.get_result()
    return count / (note_moment() - began_at)


@DBOS.step()
def write_batches(seconds: float, batch: int, pause: float) -> float:
    """Write one by one: dbos has no batches."""
    began_at, written = time.monotonic(), 0
    while time.monotonic() < began_at + seconds:
        for _number in range(batch):
            DBOS.write_stream("moments", time.clock_gettime(time.CLOCK_MONOTONIC))
        written += batch
        time.sleep(max(0.0, began_at + written / batch * pause - time.monotonic()))
    return written / (time.monotonic() - began_at)


@DBOS.workflow()
def publishes(seconds: float, batch: int, pause: float) -> float:
    return write_batches(seconds, batch, pause)


@contextmanager
def launched(queues: Sequence[str] = ()) -> Iterator[None]:
    """Run dbos in this process, listening to these queues."""
    prepare_sqlite()
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url_of_this_run(),
        "application_version": VERSION,
        "max_executor_threads": THREADS,
    }
    DBOS(config=config)
    DBOS.listen_queues(queues)
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


def prepare_sqlite() -> None:
    """Give every connection of SQLAlchemy the pragmas that Django's have."""
    if is_sqlite(url_of_this_run()):
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _set_pragmas)


def _set_pragmas(connection: sqlalchemy.engine.interfaces.DBAPIConnection, _record: object) -> None:
    connection.cursor().executescript(sqlite_pragmas())


def register_queues() -> None:
    """Register the queues that workflows.py declares for the other side."""
    DBOS.register_queue(QUEUE)
    DBOS.register_queue(BOUND_QUEUE, global_concurrency=50)
    DBOS.register_queue(TENANTS_QUEUE, partition_concurrency=1)


def enqueue(queue: str, size: int, partitions: int = 0) -> None:
    """Enqueue workflows one by one, the only way that it has; of a partitioned queue, each partition in turn."""
    with launched():
        for number in range(size):
            with SetEnqueueOptions(queue_partition_key=f"t{number % partitions}" if partitions else None):
                DBOS.enqueue_workflow(queue, one_step, number)


def client() -> DBOSClient:
    """Return what starts workflows where dbos itself does not run."""
    prepare_sqlite()
    return DBOSClient(system_database_url=url_of_this_run())


def options_for(workflow: str) -> EnqueueOptions:
    return {"workflow_name": workflow, "queue_name": QUEUE, "app_version": VERSION}


def forget_all() -> None:
    """Remove all workflows and their steps."""
    for table in ("operation_outputs", "workflow_status"):
        driver(url_of_this_run()).execute(f"DELETE FROM {_schema()}{table}")


def has_workflows(*states: str) -> bool:
    names = ", ".join(f"'{state}'" for state in states)
    return bool(_ask(f"SELECT 1 FROM {_schema()}workflow_status WHERE status IN ({names}) LIMIT 1"))


def has_only(state: str) -> bool:
    return not _ask(f"SELECT 1 FROM {_schema()}workflow_status WHERE status <> '{state}' LIMIT 1")


def count(state: str) -> int:
    ((number,),) = _ask(f"SELECT count(*) FROM {_schema()}workflow_status WHERE status = '{state}'")
    return int(number)


def last_step_ended_at() -> float:
    """Return the moment in seconds, by the clock of Python as dbos notes it."""
    ((milliseconds,),) = _ask(f"SELECT max(completed_at_epoch_ms) FROM {_schema()}operation_outputs")
    return float(milliseconds) / 1000


def _ask(question: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = driver(url_of_this_run()).execute(question).fetchall()
    return rows


def _schema() -> str:
    return "" if is_sqlite(url_of_this_run()) else "dbos."


def work() -> None:
    """Be a worker until stdin ends."""
    with launched([QUEUE, BOUND_QUEUE, TENANTS_QUEUE]):
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    work()
