"""
The settings: typed defaults over `settings.DURABLE_DJANGO`, read live.

    from durable_django.conf import durable_settings
    durable_settings.LEASE_SECONDS

Nothing is copied at import, so `override_settings(DURABLE_DJANGO={...})` just works. Unknown keys and values of a
wrong type are reported by the system checks (checks/), not here: reading a setting never raises for another's fault.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

SETTING = "DURABLE_DJANGO"


class DurableSettings:
    """The class attributes are the defaults; attribute access looks into the project's dict first."""

    #: A worker that was not heard of for so long has lost its workflows to the others (seconds).
    LEASE_SECONDS: float = 30
    #: How often a worker extends its lease (seconds); well below LEASE_SECONDS.
    HEARTBEAT_SECONDS: float = 5
    #: How often an idle worker looks for work it was not rung for (seconds).
    POLL_SECONDS: float = 1
    #: Ring idle workers after commit, by LISTEN/NOTIFY on PostgreSQL. Polling finds everything all the same.
    NOTIFY: bool = True
    #: Workflows that one worker process runs at the same time.
    THREADS: int = 8
    #: The queue of workflows that name none.
    DEFAULT_QUEUE: str = "default"
    #: Lost leases in a row, without a new checkpoint, after which a workflow fails.
    MAX_RECOVERIES: int = 20
    #: Largest encoded argument list, result, message or event (bytes).
    MAX_PAYLOAD_BYTES: int = 1024 * 1024
    #: Deepest nesting of a stored value (levels).
    MAX_DEPTH: int = 200
    #: Longest workflow id (characters).
    MAX_ID_LENGTH: int = 255
    #: Longest stored error text (bytes); longer ones are cut.
    MAX_ERROR_BYTES: int = 64 * 1024
    #: Dotted path of a callable that decides who may read which stream in a browser; nobody may without one.
    STREAM_PERMISSION: str = ""
    #: What probes and scrapers of metrics send as "Authorization: Bearer ..."; no token is right while it is empty.
    MONITORING_TOKEN: str = ""
    #: A queue whose oldest runnable workflow has stood in line for longer is delayed (seconds).
    QUEUE_DELAY_SECONDS: float = 300
    #: Dotted path of a callable that hides secrets in what people are shown; none, and everything is shown.
    REDACT: str = "durable_django.redaction.redact"
    #: Async workflows that one worker process runs at the same time.
    ASYNC_CONCURRENCY: int = 100
    #: Threads, hence connections, by which async workflows of one process ask the database.
    ASYNC_CONNECTIONS: int = 16
    #: After its end a workflow keeps all that it owns for so long (days); None: for ever. See models/retention.py.
    RETENTION_DAYS: float | None = 30
    #: The same of one that failed, which may be resumed as long.
    FAILED_RETENTION_DAYS: float | None = 90
    #: After its end the bare row of a workflow stays for so long, so that its id starts nothing again (days).
    IDEMPOTENCY_DAYS: float | None = 365
    #: Labels workflows and workers when several projects share the tables.
    APPLICATION: str = ""

    def __getattribute__(self, name: str) -> Any:
        if name.isupper():
            chosen = getattr(settings, SETTING, None)
            if isinstance(chosen, dict) and name in chosen:
                return chosen[name]
        return super().__getattribute__(name)


durable_settings = DurableSettings()


def defaults() -> dict[str, Any]:
    """Return every known key with its default."""
    return {name: value for name, value in vars(DurableSettings).items() if name.isupper()}


def is_debug() -> bool:
    """Whether the project runs in its development mode (DEBUG), which turns on what helps a developer."""
    return bool(settings.DEBUG)
