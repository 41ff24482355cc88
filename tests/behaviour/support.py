"""What the tests of promises share: effects, a second connection, the statements of a block, waiting."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from durable_django.api import presence
from durable_django.base import payloads
from durable_django.models import Message, Step, Workflow
from durable_django.testing import run_until_idle
from tests.sample.models import Mark
from tests.sample.promises import Here

# Failures that a test provokes are not news: without a handler, Python would print their records into the report.
for _name in ("durable_django", "django.tasks", "django_tasks"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

#: Nobody waits longer for something that must happen.
LIMIT_SECONDS = 30.0


def labels() -> list[str]:
    """Return the marks in the order in which they were made."""
    return list(Mark.objects.order_by("pk").values_list("label", flat=True))


def row(handle: Any) -> Workflow:
    """Return the row behind a handle as it is now."""
    return handle.refresh().workflow


def steps(handle: Any) -> list[str]:
    """Return the names of the recorded steps, in order."""
    return list(Step.objects.filter(workflow=handle.id).order_by("position").values_list("name", flat=True))


def waiting(definition: Any, *args: Any, **kwargs: Any) -> Any:
    """Start a workflow and let it run until it waits. Return its handle."""
    handle = definition.start(*args, **kwargs)
    run_until_idle()
    return handle


def mailbox(handle: Any) -> list[Any]:
    """Return what a workflow was sent, received or not, in order."""
    rows = Message.objects.filter(workflow=handle.id).order_by("id")
    return [payloads.decode(value) for value in rows.values_list("value", flat=True)]


def elsewhere(act: Callable[[], Any]) -> Any:
    """Do something in another thread, hence on another connection. Return its value, or raise its error."""
    answer: dict[str, Any] = {}

    def run() -> None:
        try:
            answer["value"] = act()
        except BaseException as error:
            answer["error"] = error
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(LIMIT_SECONDS)
    if thread.is_alive():
        raise TimeoutError("The other thread does not end.")
    if "error" in answer:
        raise answer["error"]
    return answer["value"]


def eventually(is_true: Callable[[], Any], what: str) -> None:
    """Wait until a condition holds. Raises AssertionError with `what` if it never does."""
    end = time.monotonic() + LIMIT_SECONDS
    while not is_true():
        if time.monotonic() > end:
            raise AssertionError(f"It never happened: {what}.")
        time.sleep(0.01)


def is_anybody_blocked() -> bool:
    """Whether somebody waits for a lock on PostgreSQL."""
    with connection.cursor() as cursor:
        # Not pg_stat_activity, of which a transaction sees the same all the time.
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


@contextmanager
def statements() -> Iterator[list[str]]:
    """Fill the list, at the end of the block, with what was sent to the database, BEGIN and COMMIT included."""
    seen: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield seen
    seen.extend(query["sql"] for query in captured.captured_queries)


def instructions(act: Callable[[], Any]) -> int:
    """Return about how many instructions of SQLite's own machine an act takes: what it reads, and not how fast."""
    hundreds: list[int] = []
    connection.connection.set_progress_handler(lambda: hundreds.append(100), 100)
    try:
        act()
    finally:
        connection.connection.set_progress_handler(None, 100)
    return sum(hundreds)


def summary(seen: list[str]) -> list[str]:
    """Return what each statement does in two words: verb and table."""
    return [_summary(sql) for sql in seen]


def _summary(sql: str) -> str:
    verb = sql.split(maxsplit=1)[0].rstrip(";").upper()
    table = re.search(r'(?:INTO|FROM|UPDATE) "(?:durable_django_)?(\w+)"', sql)
    return f"{verb} {table.group(1)}" if table else verb


@contextmanager
def acting(act: Callable[[], Any]) -> Iterator[None]:
    """Let the samples `acts`, `acts_atomically` and `acts_itself` do this while the block runs."""
    with mock.patch.object(Here, "act", act):
        yield


@contextmanager
def presence_ends() -> Iterator[None]:
    """Let the heartbeat thread of plain calls end with the block, so that it meets no other test."""
    with override_settings(DURABLE_DJANGO={"HEARTBEAT_SECONDS": 0.05}):
        try:
            yield
        finally:
            for present in list(presence._presences.values()):
                present.owner.lose()
            presence._presences.clear()
            for thread in threading.enumerate():
                if thread.name == "durable-presence":
                    thread.join(LIMIT_SECONDS)
