"""PostgreSQL: options of its connections with which the protocols of the engine do not hold."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name

from durable_django.checks.routing import connection_of_tables, options_of
from durable_django.conf import durable_settings

#: psycopg's numbers of REPEATABLE READ and SERIALIZABLE.
_TOO_STRICT = (3, 4)


@register()
def check_postgresql(**_kwargs: Any) -> list[CheckMessage]:
    """Report an isolation that hides what others commit, and settings of connections that do not go together."""
    connection = connection_of_tables()
    if connection is None or connection.vendor != "postgresql":
        return []
    place = f"Database {connection.alias!r}"
    return [*_judge_isolation(place, connection), *_judge_age(place, connection), *_judge_pooler(place, connection)]


def _judge_isolation(place: str, connection: Any) -> list[CheckMessage]:
    if options_of(connection).get("isolation_level") not in _TOO_STRICT:
        return []
    hint = "Remove 'isolation_level', or give the tables an alias of their own: READ COMMITTED is what they need."
    text = (
        f"{place} is used at a stricter isolation than READ COMMITTED: claims, starts and messages that meet others "
        "fail with 'could not serialize access', or do not see what was committed while they waited for a lock."
    )
    return [Error(text, hint=hint, id="durable_django.E016")]


def _judge_age(place: str, connection: Any) -> list[CheckMessage]:
    age = connection.settings_dict.get("CONN_MAX_AGE", 0)
    if options_of(connection).get("pool"):
        if age == 0:
            return []
        hint = "Set 'CONN_MAX_AGE': 0: the pool keeps connections open."
        text = f"{place} has a pool and CONN_MAX_AGE {age!r}: Django refuses to connect."
        return [Error(text, hint=hint, id="durable_django.E017")]
    if age is not None or connection.settings_dict.get("CONN_HEALTH_CHECKS"):
        return []
    hint = "Set 'CONN_HEALTH_CHECKS': True, or a CONN_MAX_AGE in seconds."
    text = f"{place} keeps connections for ever and tries none: after a restart of the server every start() fails."
    return [Warning(text, hint=hint, id="durable_django.W006")]


def _judge_pooler(place: str, connection: Any) -> list[CheckMessage]:
    if not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS") or not durable_settings.NOTIFY:
        return []
    hint = "Set DURABLE_DJANGO = {'NOTIFY': False} for workers behind it, or let workers connect directly."
    text = (
        f"{place} has DISABLE_SERVER_SIDE_CURSORS, so it seems to lie behind a pooler in transaction mode, in which "
        "LISTEN does not work, and NOTIFY is on."
    )
    return [Warning(text, hint=hint, id="durable_django.W008")]
