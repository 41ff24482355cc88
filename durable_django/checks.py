"""
System checks: every misconfiguration is found by `manage.py check`, with what to do.

E001 DURABLE_DJANGO is not a dict              E002 unknown key              E003 value of a wrong type or range
E004 two workflows have one name               E005 @workflow(queue=) names an undeclared queue
E006 the database is not PostgreSQL or SQLite  E007 SQLite in memory         E008 heartbeat not well below the lease
E009 SQLite is older than 3.35                 E010 STREAM_PERMISSION names no callable
E011 two schedules have one name               E012 @schedule(queue=) names an undeclared queue
E013 REDACT names no callable
E104 TASKS needs the package django-tasks      (others of 1xx: see tasks/checking.py)
W001 SQLite without a write-ahead log          W002 another app's `worker` command hides ours
W003 workers may open more connections than the server takes; asked of the database, by `check --database default`
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from django.core.management import get_commands
from django.db import connections, router
from django.utils.module_loading import import_string

from durable_django import tasks
from durable_django.base import registry, timetable
from durable_django.conf import SETTING, defaults, durable_settings
from durable_django.exceptions import UnknownQueue
from durable_django.worker import headroom
from durable_django.worker.options import WorkerOptions

_SUPPORTED = ("postgresql", "sqlite")
#: From here on an UPDATE can return what it changed, which is how workflows are claimed.
_OLDEST_SQLITE = (3, 35, 0)
_LEAST: dict[str, float] = {
    "LEASE_SECONDS": 1,
    "HEARTBEAT_SECONDS": 0.1,
    "POLL_SECONDS": 0.01,
    "QUEUE_DELAY_SECONDS": 1,
    "THREADS": 1,
    "ASYNC_CONCURRENCY": 1,
    "ASYNC_CONNECTIONS": 3,
    "MAX_RECOVERIES": 0,
    "MAX_PAYLOAD_BYTES": 1024,
    "MAX_DEPTH": 1,
    "MAX_ID_LENGTH": 1,
    "MAX_ERROR_BYTES": 1024,
    "RETENTION_DAYS": 0,
    "FAILED_RETENTION_DAYS": 0,
    "IDEMPOTENCY_DAYS": 0,
}
#: A century of days, beyond which lie dates that databases cannot count back to.
_CENTURY_DAYS = 36_500
_MOST: dict[str, float] = {
    "MAX_ID_LENGTH": 255,
    "MAX_DEPTH": 200,
    "RETENTION_DAYS": _CENTURY_DAYS,
    "FAILED_RETENTION_DAYS": _CENTURY_DAYS,
    "IDEMPOTENCY_DAYS": _CENTURY_DAYS,
}
#: Of what may be a fraction, and of what may be None, which says for ever.
_FRACTIONS = ("_SECONDS", "_DAYS")
_ENDLESS = "_DAYS"


@register()
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """Report keys that do not exist and values that cannot be."""
    chosen = getattr(settings, SETTING, {})
    if not isinstance(chosen, dict):
        hint = f"Write {SETTING} = {{'LEASE_SECONDS': 30}}."
        return [Error(f"{SETTING} must be a dict, got {chosen!r}.", hint=hint, id="durable_django.E001")]
    messages = [_unknown(key) for key in chosen if key not in defaults()]
    messages += [message for key in chosen if key in defaults() for message in _judge(key, chosen[key])]
    return messages or [*_judge_lease(), *_judge_permission(), *_judge_redaction()]


def _unknown(key: Any) -> CheckMessage:
    hint = registry.nearest(str(key), defaults()).strip() or f"Known keys: {', '.join(sorted(defaults()))}."
    return Error(f"{SETTING} has no key {key!r}.", hint=hint, id="durable_django.E002")


def _judge(key: str, value: Any) -> list[CheckMessage]:
    default = defaults()[key]
    expected = _expected(key, default)
    if _is_fine(key, value, default):
        return []
    # Messages end up in logs, where no secret belongs.
    got = type(value).__name__ if key.endswith("_TOKEN") else repr(value)
    message = f"{SETTING}[{key!r}] must be {expected}, got {got}."
    return [Error(message, hint=f"The default is {default!r}.", id="durable_django.E003")]


def _expected(key: str, default: Any) -> str:
    kind = {bool: "True or False", int: "a whole number", float: "a number", str: "a str"}[type(default)]
    kind = "a number" if key.endswith(_FRACTIONS) else kind
    bounds = f" from {_LEAST[key]:g}" if key in _LEAST else ""
    bounds += f" to {_MOST[key]:g}" if key in _MOST else ""
    return kind + bounds + (", or None" if key.endswith(_ENDLESS) else "")


def _is_fine(key: str, value: Any, default: Any) -> bool:
    if isinstance(default, bool | str):
        return type(value) is type(default) and (key != "DEFAULT_QUEUE" or bool(str(value).strip()))
    if value is None:
        return key.endswith(_ENDLESS)
    kinds = (int, float) if key.endswith(_FRACTIONS) else (int,)
    if type(value) not in kinds or not math.isfinite(value):
        return False
    return bool(_LEAST.get(key, -math.inf) <= value <= _MOST.get(key, math.inf))


def _judge_lease() -> list[CheckMessage]:
    lease, beat = durable_settings.LEASE_SECONDS, durable_settings.HEARTBEAT_SECONDS
    if beat * 2 <= lease:
        return []
    message = f"HEARTBEAT_SECONDS ({beat}) must be at most half of LEASE_SECONDS ({lease})."
    hint = "One lost heartbeat must not cost a worker its lease."
    return [Error(message, hint=hint, id="durable_django.E008")]


def _judge_permission() -> list[CheckMessage]:
    hint = "Write def may_read(request, workflow_id, key): ... and name it as a dotted path."
    reason = _why_not_callable(chosen := durable_settings.STREAM_PERMISSION)
    return [Error(f"STREAM_PERMISSION is {chosen!r}: {reason}.", hint=hint, id="durable_django.E010")] if reason else []


def _judge_redaction() -> list[CheckMessage]:
    hint = "Write def redact(name, value): ... and name it as a dotted path. Until then nothing is shown."
    reason = _why_not_callable(chosen := durable_settings.REDACT)
    return [Error(f"REDACT is {chosen!r}: {reason}.", hint=hint, id="durable_django.E013")] if reason else []


def _why_not_callable(path: str) -> str:
    """Return what is wrong with a setting that names a callable; empty if nothing is, or it names none."""
    try:
        return "" if not path or callable(import_string(path)) else "it is not callable"
    except ImportError as error:
        return str(error)


@register()
def check_declarations(**_kwargs: Any) -> list[CheckMessage]:
    """Report workflows that share a name or use a queue that nobody declares."""
    messages: list[CheckMessage] = [
        Error(clash, hint="Names refer to the function from rows, so they must differ.", id="durable_django.E004")
        for clash in registry.workflows.clashes()
    ]
    for name in registry.workflows.names():
        queue = registry.workflows.get(name).queue
        try:
            registry.queues.require(queue or durable_settings.DEFAULT_QUEUE)
        except UnknownQueue as error:
            messages.append(Error(f"Workflow {name}: {error}", id="durable_django.E005"))
    return messages


@register()
def check_schedules(**_kwargs: Any) -> list[CheckMessage]:
    """Report schedules that share a name or use a queue that nobody declares."""
    messages: list[CheckMessage] = [
        Error(clash, hint="Each has a row of its own, by its name.", id="durable_django.E011")
        for clash in timetable.schedules.clashes()
    ]
    for name, declared in timetable.schedules.by_name().items():
        try:
            registry.queues.require(declared.queue or durable_settings.DEFAULT_QUEUE)
        except UnknownQueue as error:
            messages.append(Error(f"Schedule {name}: {error}", id="durable_django.E012"))
    return messages


@register()
def check_database(**_kwargs: Any) -> list[CheckMessage]:
    """Report databases that the engine does not run on, or not safely."""
    alias = _alias()
    connection = connections[alias]
    if connection.vendor not in _SUPPORTED:
        hint = "Use PostgreSQL or SQLite for this alias, or route durable_django's models to another one."
        return [Error(f"Database {alias!r} is {connection.display_name}.", hint=hint, id="durable_django.E006")]
    return _check_sqlite(alias) if connection.vendor == "sqlite" else []


def _check_sqlite(alias: str) -> list[CheckMessage]:
    database = connections[alias].settings_dict
    name = str(database.get("NAME", ""))
    if _is_in_memory(name) and not _is_under_test(database):
        hint = "Give it a file: 'NAME': BASE_DIR / 'db.sqlite3'."
        return [Error(f"Database {alias!r} is in memory: workers cannot open it.", hint=hint, id="durable_django.E007")]
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        text = f"Database {alias!r} is SQLite {sqlite3.sqlite_version}; workers need 3.35 to claim workflows."
        hint = "Use a Python that was built with SQLite 3.35 or newer, or PostgreSQL."
        return [Error(text, hint=hint, id="durable_django.E009")]
    if "wal" not in str(database.get("OPTIONS", {}).get("init_command", "")).lower():
        hint = (
            "Set 'OPTIONS': {'transaction_mode': 'IMMEDIATE', "
            "'init_command': 'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;'}."
        )
        text = f"Database {alias!r} is SQLite without a write-ahead log: readers and the writer block each other."
        return [Warning(text, hint=hint, id="durable_django.W001")]
    return []


def _is_in_memory(name: str) -> bool:
    return ":memory:" in name or "mode=memory" in name


def _is_under_test(database: dict[str, Any]) -> bool:
    """Whether the test runner has put its own database in place; run_until_idle() works in memory too."""
    return "memorydb_" in str(database.get("NAME", ""))


@register()
def check_tasks(**_kwargs: Any) -> list[CheckMessage]:
    """Report a backend for tasks that nothing can ask for; what is wrong with one that can be is for itself to say."""
    chosen = getattr(settings, "TASKS", {})
    backends = chosen.items() if isinstance(chosen, dict) and not tasks.is_available() else ()
    hint = "python -m pip install 'durable-django[tasks]', and add 'django_tasks' to INSTALLED_APPS."
    return [
        Error(
            f"TASKS[{alias!r}] names the backend of durable_django, but there is no django.tasks here.",
            hint=hint,
            id="durable_django.E104",
        )
        for alias, params in backends
        if isinstance(params, dict) and str(params.get("BACKEND", "")).startswith("durable_django.tasks.")
    ]


def _alias() -> str:
    """Return the database of the workflow tables."""
    return router.db_for_write(apps.get_model("durable_django", "Workflow"))


@register(Tags.database)
def check_connections(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """Report that one worker process, as the settings say, may open more connections than the server takes."""
    alias = _alias()
    if alias not in (databases or ()) or check_settings():
        return []
    return judge_connections(alias, WorkerOptions(threads=int(durable_settings.THREADS)))


def judge_connections(alias: str, options: WorkerOptions) -> list[CheckMessage]:
    """Report that a worker command of these options may open more connections than the server takes."""
    text = headroom.shortage(alias, options)
    hint = "Use fewer processes or threads, lower ASYNC_CONNECTIONS, or raise max_connections of the server."
    return [Warning(text, hint=hint, id="durable_django.W003")] if text else []


@register(Tags.compatibility)
def check_command(**_kwargs: Any) -> list[CheckMessage]:
    """Report that `manage.py worker` would run another app's command."""
    owner = get_commands().get("worker")
    if owner == "durable_django":
        return []
    text = f"`manage.py worker` runs the command of {owner}, which stands before durable_django in INSTALLED_APPS."
    return [Warning(text, hint="Use `manage.py durable worker`, or move durable_django up.", id="durable_django.W002")]
