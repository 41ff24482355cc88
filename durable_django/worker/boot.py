"""Boot of a worker: reasons to refuse, the settings of its connections, the sync of declared queues and schedules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core import checks
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from durable_django.base import registry, timetable
from durable_django.conf import durable_settings
from durable_django.models.queue import Queue
from durable_django.models.schedule import Schedule

_CONNECTION_SECONDS = 300


def refusals(alias: str) -> list[str]:
    """Return why a worker must not start: failing system checks, unapplied migrations. Empty if it may."""
    found = checks.run_checks(include_deployment_checks=False)
    errors = [str(message) for message in found if message.is_serious() and not message.is_silenced()]
    return errors or _unapplied(alias)


def _unapplied(alias: str) -> list[str]:
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return []
    names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _backwards in plan[:5])
    more = f" and {len(plan) - 5} more" if len(plan) > 5 else ""  # noqa: PLR2004
    return [
        f"Migrations are not applied on database {alias!r}: {names}{more}. Run: manage.py migrate --database {alias}"
    ]


def sync_queues(alias: str) -> None:
    """Make a row for each declared queue, or give the row the limits that the code declares now."""
    Queue.objects.using(alias).sync(registry.queues.declared())


def sync_schedules(alias: str) -> None:
    """Let rows say what the code declares of its schedules."""
    Schedule.objects.using(alias).sync(timetable.schedules.by_name().values(), durable_settings.APPLICATION)


def prepare_connections(alias: str) -> None:
    """
    Give every connection that this process will open the settings that a worker needs, whatever the project says.

    PostgreSQL ends the transaction of a frozen or unreachable worker within a lease, which would otherwise block its
    successor on the unique index for ever. SQLite begins every transaction IMMEDIATE: a read that turns into a write
    fails at once with "database is locked", whatever the timeout. Connections are kept between workflows; one that
    broke is noticed and opened anew.
    """
    connections[alias].close()
    settings = connections.settings[alias]
    options = settings.setdefault("OPTIONS", {})
    vendor = connections[alias].vendor
    if vendor == "postgresql":
        _prepare_postgresql(options)
    elif vendor == "sqlite":
        options["transaction_mode"] = "IMMEDIATE"
        options.setdefault("timeout", 20)
    if settings.get("CONN_MAX_AGE") == 0 and not options.get("pool"):
        settings["CONN_MAX_AGE"] = _CONNECTION_SECONDS
    del connections[alias]


def _prepare_postgresql(options: dict[str, Any]) -> None:
    milliseconds = int(durable_settings.LEASE_SECONDS * 1000)
    third = max(1, int(durable_settings.LEASE_SECONDS / 3))
    timeout = f"-c idle_in_transaction_session_timeout={milliseconds}"
    options["options"] = f"{options.get('options', '')} {timeout}".strip()
    options.setdefault("keepalives", 1)
    options.setdefault("keepalives_idle", third)
    options.setdefault("keepalives_interval", max(1, third // 3))
    options.setdefault("keepalives_count", 3)
    options.setdefault("tcp_user_timeout", milliseconds)
    options.setdefault("connect_timeout", 10)


@contextmanager
def giving_up_after(seconds: int, alias: str) -> Iterator[None]:
    """
    Give this thread, while the block runs, another connection, which waits no longer than that: for whatever it is.

    For a process that must not wait, as the supervisor must not. Not from the pool, where it would wait for its turn.
    """
    before = connections[alias]
    impatient = before.copy()
    options = impatient.settings_dict.setdefault("OPTIONS", {})
    options.pop("pool", None)
    if before.vendor == "postgresql":
        milliseconds = seconds * 1000
        limits = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        options["options"] = f"{options.get('options', '')} {limits}".strip()
        options |= {"connect_timeout": seconds, "tcp_user_timeout": milliseconds}
    elif before.vendor == "sqlite":
        options["timeout"] = seconds
    connections[alias] = impatient
    try:
        yield
    finally:
        impatient.close()
        connections[alias] = before


def separate_from_pool(alias: str) -> None:
    """
    Give this thread a connection outside the project's pool: the heartbeat must never wait for one.

    Call it before the thread's first query.
    """
    wrapper = connections[alias].copy()
    wrapper.settings_dict["OPTIONS"] = {
        key: value for key, value in wrapper.settings_dict.get("OPTIONS", {}).items() if key != "pool"
    }
    connections[alias] = wrapper
