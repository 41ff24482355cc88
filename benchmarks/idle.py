"""What an idle worker costs: its share of a core, and the statements that it sends to a server."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from benchmarks import workers
from benchmarks.child import url_of_this_run
from benchmarks.measurement import Measurement, Row, Target
from benchmarks.places import is_sqlite

MEASUREMENT = Measurement(
    name="idle",
    size=60,
    quick_size=15,
    rows=(
        Row("cpu", "idle worker: share of a core (%)", (Target("postgresql", at_most=1), Target("sqlite", at_most=1))),
        Row("statements", "idle worker: statements a minute", (Target("postgresql", at_most=120),)),
    ),
)
_SETTLING_SECONDS = 5
#: log_statement writes one such line for each statement, prepared or not; BEGIN and COMMIT count.
_STATEMENT = re.compile(rb"LOG:  (statement|execute [^:]+): ")


def durable(seconds: int) -> dict[str, float]:
    from benchmarks.workflows import one_step

    with workers.durable_worker() as pid:
        one_step.start(1).result()
        return _cost(pid, seconds)


def dbos(seconds: int) -> dict[str, float]:
    from benchmarks import dbos_side

    client = dbos_side.client()
    with workers.dbos_worker() as pid:
        client.enqueue(dbos_side.options_for("one_step"), 1).get_result()
        client.destroy()
        return _cost(pid, seconds)


def _cost(pid: int, seconds: int) -> dict[str, float]:
    time.sleep(_SETTLING_SECONDS)
    _log_statements(is_on=True)
    before, statements = workers.cpu_seconds(pid), _logged_statements()
    began_at = time.monotonic()
    time.sleep(seconds)
    lasted = time.monotonic() - began_at
    cost = {"cpu": 100 * (workers.cpu_seconds(pid) - before) / lasted}
    if not is_sqlite(url_of_this_run()):
        cost["statements"] = (_logged_statements() - statements) * 60 / lasted
        _log_statements(is_on=False)
    return cost


def _logged_statements() -> int:
    log = os.environ["DURABLE_BENCH_SERVER_LOG"]
    return len(_STATEMENT.findall(Path(log).read_bytes())) if log else 0


def _log_statements(*, is_on: bool) -> None:
    """Let the server log all statements; sessions that are open already do so from their next one on."""
    if is_sqlite(url_of_this_run()):
        return
    import psycopg

    with psycopg.connect(url_of_this_run(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET log_statement = '{'all' if is_on else 'none'}'".encode())
        connection.execute("SELECT pg_reload_conf()")
    # The server rereads its settings when it gets round to it.
    time.sleep(1)
