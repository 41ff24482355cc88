"""The same task for huey, which keeps its queue in the database of the run."""

from __future__ import annotations

from huey import PostgresHuey, SqliteHuey

from benchmarks.child import url_of_this_run
from benchmarks.places import is_sqlite, sqlite_path

_url = url_of_this_run()
huey = SqliteHuey("bench", filename=str(sqlite_path(_url))) if is_sqlite(_url) else PostgresHuey("bench", dsn=_url)


@huey.task()
def add_one(number: int) -> int:
    return number + 1
