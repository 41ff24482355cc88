"""
Time as the database sees it: expressions for now and later, and the field that stores moments.

Leases, due times and deadlines are compared inside the database, with its clock; Python's wall clock decides nothing.
`shift()` is the one seam by which tests move time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

#: Seconds in a row that mean for ever: the largest number that the column takes, 68 years.
FOR_EVER = 2**31 - 1

_shift = timedelta(0)


class MomentField(models.DateTimeField):  # type: ignore[type-arg]
    """
    A DateTimeField that is stored in UTC on every database.

    Django's own field stores local time on SQLite when USE_TZ is off, while strftime('now') speaks UTC: a row was
    seen to become due hours early. Values come back aware, or naive in the default zone if USE_TZ is off.
    """

    def get_prep_value(self, value: Any) -> Any:
        value = self.to_python(value)
        if isinstance(value, datetime) and timezone.is_naive(value):
            return timezone.make_aware(value, timezone.get_default_timezone())
        return value

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        if not prepared:
            value = self.get_prep_value(value)
        if isinstance(value, datetime) and connection.vendor == "sqlite":
            # Not strftime(): it writes the years before 1000 with fewer than four digits.
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        return value

    def from_db_value(self, value: datetime | None, _expression: Any, connection: BaseDatabaseWrapper) -> Any:
        if value is None:
            return None
        if connection.vendor == "sqlite":
            value = value.replace(tzinfo=UTC)
        if uses_time_zones():
            return value.astimezone(UTC)
        return value if timezone.is_naive(value) else timezone.make_naive(value, timezone.get_default_timezone())


class Now(models.Expression):
    """The database's clock at the start of the statement (stable, hence usable with an index)."""

    allowed_default = True

    def __init__(self) -> None:
        super().__init__(output_field=MomentField())

    def as_sql(self, _compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        if connection.vendor == "sqlite":
            return _sqlite_moment("'now'", str(_shift.total_seconds())) if _shift else _sqlite_moment("'now'")
        # Not CLOCK_TIMESTAMP(): it is volatile, and a volatile bound cannot use an index.
        sql = "STATEMENT_TIMESTAMP()"
        # Not an interval with days in it: by daylight saving time a day of the session's zone may have 23 hours.
        shifted = f"({sql} + MAKE_INTERVAL(secs => %s::double precision))"
        return (shifted, [_shift.total_seconds()]) if _shift else (sql, [])


class Later(models.Expression):
    """A moment some seconds after another one; the seconds may be a number or an expression."""

    def __init__(self, seconds: Any, after: models.Expression | models.F | None = None) -> None:
        super().__init__(output_field=MomentField())
        self.seconds = seconds if hasattr(seconds, "resolve_expression") else models.Value(float(seconds))
        self.after: Any = after if after is not None else Now()

    def get_source_expressions(self) -> list[Any]:
        return [self.seconds, self.after]

    def set_source_expressions(self, exprs: Any) -> None:
        self.seconds, self.after = exprs

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        seconds, seconds_params = compiler.compile(self.seconds)
        after, after_params = compiler.compile(self.after)
        if connection.vendor == "sqlite":
            # NULL seconds give NULL, as on PostgreSQL; PRINTF() would have made them zero.
            sql = f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', {after}, ({seconds}) || ' seconds')"
        else:
            sql = f"({after} + MAKE_INTERVAL(secs => ({seconds})::double precision))"
        return sql, [*after_params, *seconds_params]


def _sqlite_moment(*parts: str) -> tuple[str, list[Any]]:
    base, *shift = parts
    modifiers = "".join(", %s || ' seconds'" for _ in shift)
    return f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', {base}{modifiers})", [float(seconds) for seconds in shift]


class SecondsUntil(models.Expression):
    """The seconds from the database's now until a moment: negative once it has passed."""

    def __init__(self, moment: models.Expression | str) -> None:
        super().__init__(output_field=models.FloatField())
        self.moment: Any = models.F(moment) if isinstance(moment, str) else moment
        self.now: Any = Now()

    def get_source_expressions(self) -> list[Any]:
        return [self.moment, self.now]

    def set_source_expressions(self, exprs: Any) -> None:
        self.moment, self.now = exprs

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        moment, moment_params = compiler.compile(self.moment)
        now, now_params = compiler.compile(self.now)
        if connection.vendor == "sqlite":
            sql = f"((JULIANDAY({moment}) - JULIANDAY({now})) * 86400.0)"
        else:
            sql = f"EXTRACT(EPOCH FROM ({moment} - {now}))::double precision"
        return sql, [*moment_params, *now_params]


class Epoch(models.Expression):
    """
    A moment as seconds since 1970: the one way to read an instant that is right whatever USE_TZ says.

    Without USE_TZ a moment is given back as naive local time, which in the hour that is repeated means two instants.
    """

    def __init__(self, moment: models.Expression | str) -> None:
        super().__init__(output_field=models.FloatField())
        self.moment: Any = models.F(moment) if isinstance(moment, str) else moment

    def get_source_expressions(self) -> list[Any]:
        return [self.moment]

    def set_source_expressions(self, exprs: Any) -> None:
        (self.moment,) = exprs

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        moment, params = compiler.compile(self.moment)
        if connection.vendor == "sqlite":
            return f"((JULIANDAY({moment}) - 2440587.5) * 86400.0)", params
        return f"EXTRACT(EPOCH FROM {moment})::double precision", params


class PartOfPast(models.Expression):
    """
    In which part of the seconds that end now a moment lies.

    1 for the oldest part and what is older, `parts` for the newest and what is to come. For a hundred thousand rows at
    a time: PostgreSQL takes ten times as long to extract an epoch from each of them.
    """

    def __init__(self, moment: str, seconds: float, parts: int) -> None:
        super().__init__(output_field=models.IntegerField())
        self.moment: Any = models.F(moment)
        self.now: Any = Now()
        self.seconds, self.parts = float(seconds), parts

    def get_source_expressions(self) -> list[Any]:
        return [self.moment, self.now]

    def set_source_expressions(self, exprs: Any) -> None:
        self.moment, self.now = exprs

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        moment, moment_params = compiler.compile(self.moment)
        now, now_params = compiler.compile(self.now)
        width = self.seconds / self.parts
        if connection.vendor == "sqlite":
            ago = f"(JULIANDAY({now}) - JULIANDAY({moment})) * 86400.0 / %s"
            sql = f"MIN(MAX(%s - CAST({ago} AS INTEGER), 1), %s)"
            return sql, [self.parts, *now_params, *moment_params, width, self.parts]
        begins = f"{now} - MAKE_INTERVAL(secs => (%s * ago)::double precision)"
        bounds = f"ARRAY(SELECT {begins} FROM GENERATE_SERIES(%s, 1, -1) AS ago)"  # noqa: S608 - compiled by Django
        return f"GREATEST(WIDTH_BUCKET({moment}, {bounds}), 1)", [*moment_params, *now_params, width, self.parts]


def instant(epoch_seconds: float) -> datetime:
    """Return what Epoch has read, to the millisecond, as an aware moment in UTC."""
    return datetime.fromtimestamp(round(epoch_seconds, 3), UTC)


def shift_seconds() -> float:
    """Return how far tests have moved the clock: 0 outside of tests."""
    return _shift.total_seconds()


@contextmanager
def shift(delta: timedelta) -> Iterator[None]:
    """Move the engine's clock for a while; moves add up. For tests only."""
    global _shift  # noqa: PLW0603 - the one seam; processes never move it
    before = _shift
    _shift = before + delta
    try:
        yield
    finally:
        _shift = before


def elapsed_seconds() -> float:
    """
    Return a clock for measuring how long something took, counting the time the machine was asleep.

    A laptop or a virtual machine that was suspended must find its lease expired when it wakes; CLOCK_MONOTONIC
    stands still meanwhile, CLOCK_BOOTTIME does not (Linux; elsewhere the monotonic clock has to do).
    """
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uses_time_zones() -> bool:
    """Whether moments are given and given back aware (USE_TZ)."""
    return bool(settings.USE_TZ)


def as_users_see(moment: datetime) -> datetime:
    """Return an aware moment as it is given to users: as it is, or naive in the default zone if USE_TZ is off."""
    return moment if uses_time_zones() else timezone.make_naive(moment, timezone.get_default_timezone())


def wall_now() -> datetime:
    """Return Python's wall clock as a moment, moved as tests ask; for what only users look at."""
    return timezone.now() + _shift


def wall_microseconds() -> int:
    """Return Python's wall clock in microseconds: for ids and lines, where only rough order matters."""
    return time.time_ns() // 1000
