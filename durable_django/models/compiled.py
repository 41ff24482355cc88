"""
Statements of the hot path, compiled by the ORM once and executed many times.

Compiling an INSERT or UPDATE takes Django several times as long as PostgreSQL needs to execute it. A `Statement` is
built from ordinary ORM queries whose values are `Slot`s; executing it only fills the slots. On PostgreSQL it is also
prepared in the server (psycopg does so from the fifth time on in one connection): parsing and planning the fence took
as long again as executing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, cast

from django.db import DatabaseError, connections, models, transaction
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery, Query, UpdateQuery

from durable_django.base import clock
from durable_django.models.turns import turn

#: psycopg's own default; Django turns preparing off.
_PREPARED_FROM = 5
#: A prepared statement is gone, or is there already: the session is not the one it was prepared in.
SESSION_CHANGED = ("26000", "42P05")
_shared_sessions: set[str] = set()


class Slot(models.Expression):
    """A place in a compiled statement for a value that is given at each execution."""

    def __init__(self, name: str, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, _compiler: Any, _connection: Any) -> Any:
        return "%s", [self]


class _Compiled(NamedTuple):
    """
    The text of a statement, its parameters with Slots among them, and how the columns are read that it gives back.

    silent  the text without RETURNING, if it has one: what is sent for many rows at once must return none
    """

    sql: str
    template: tuple[Any, ...]
    compiler: Any = None
    converters: Any = None
    silent: str = ""


class Statement:
    """
    One statement, compiled for each database on first use.

    build      makes the ORM query; it is called once a database (and again when a test has moved the clock, since the
               moved clock is part of the text)
    returning  attribute names of the columns that an UPDATE or INSERT returns of each row it wrote, for change()
    """

    def __init__(self, build: Callable[[str], Query], *, returning: Sequence[str] = ()) -> None:
        self._build = build
        self._returning = returning
        self._compiled: dict[tuple[str, float], _Compiled] = {}

    def execute(self, alias: str, values: Mapping[str, Any]) -> int:
        """Run it and return the number of rows it touched. Values must be what the driver takes as it is."""
        connection = connections[alias]
        with turn(connection):
            return int(self._run(connection, self._compiled_for(alias), values, _row_count))

    def execute_many(self, alias: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """
        Run it once for each of the rows, in the caller's transaction; the driver sends them on without waiting.

        Return the number of rows that it touched in all.

        Values must be what the driver takes as it is.
        """
        compiled = self._compiled_for(alias)
        with _cursor(connections[alias]) as cursor:
            cursor.executemany(compiled.silent or compiled.sql, [_params(compiled, values) for values in rows])
            return int(cursor.rowcount)

    def change(self, alias: str, values: Mapping[str, Any]) -> list[Any]:
        """Run an UPDATE or INSERT and return what it says of each row it wrote."""
        with turn(connections[alias]):
            return self.fetch(alias, values)

    def fetch(self, alias: str, values: Mapping[str, Any]) -> list[Any]:
        """Run a SELECT and return its rows, each column as the ORM would give it back."""
        compiled = self._compiled_for(alias)
        rows = self._run(connections[alias], compiled, values, _all_rows)
        if compiled.converters:
            return list(compiled.compiler.apply_converters(rows, compiled.converters))
        return list(rows)

    def _run(self, connection: Any, compiled: _Compiled, values: Mapping[str, Any], read: Callable[[Any], Any]) -> Any:
        params = _params(compiled, values)
        try:
            return _execute(connection, compiled.sql, params, read)
        except DatabaseError as error:
            if getattr(error.__cause__, "sqlstate", None) not in SESSION_CHANGED:
                raise
            _shared_sessions.add(connection.alias)
            if connection.in_atomic_block:
                raise
            return _execute(connection, compiled.sql, params, read)

    def _compiled_for(self, alias: str) -> _Compiled:
        key = (alias, clock.shift_seconds())
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = self._compile(alias)
        return compiled

    def _compile(self, alias: str) -> _Compiled:
        compiler: Any = self._build(alias).get_compiler(using=alias)
        if self._returning:
            return self._compile_returning(alias, compiler)
        sql, params = _only(compiler.as_sql())
        columns = getattr(compiler, "select", None)
        converters = compiler.get_converters([column for column, *_rest in columns]) if columns else None
        return _Compiled(str(sql), tuple(params), compiler, converters)

    def _compile_returning(self, alias: str, compiler: Any) -> _Compiled:
        """Add RETURNING, for which the ORM has no word in an UPDATE, nor beside ON CONFLICT; both databases know it."""
        model, quote = compiler.query.model, connections[alias].ops.quote_name
        fields = {field.attname: field for field in model._meta.concrete_fields}
        # The ORM compiles a query that locks rows in a transaction only; this one is a statement of its own. An INSERT
        # locks none, and no start may cost more than its one statement, not even the first.
        is_insert = isinstance(compiler.query, InsertQuery)
        with nullcontext() if is_insert else transaction.atomic(using=alias):
            sql, params = _only(compiler.as_sql())
        columns = [fields[name].get_col(model._meta.db_table) for name in self._returning]
        names = ", ".join(quote(fields[name].column) for name in self._returning)
        converters = compiler.get_converters(columns)
        return _Compiled(f"{sql} RETURNING {names}", tuple(params), compiler, converters, silent=str(sql))


def _only(found: Any) -> Any:
    """Return the statement: those of an INSERT are a list, here always of one."""
    return found[0] if isinstance(found, list) else found


def _params(compiled: _Compiled, values: Mapping[str, Any]) -> list[Any]:
    return [values[item.name] if type(item) is Slot else item for item in compiled.template]


def _row_count(cursor: Any) -> Any:
    return cursor.rowcount


def _all_rows(cursor: Any) -> Any:
    return cursor.fetchall()


def _execute(connection: Any, sql: str, params: list[Any], read: Callable[[Any], Any]) -> Any:
    with _cursor(connection) as cursor:
        cursor.execute(sql, params)
        return read(cursor)


def _cursor(connection: Any) -> Any:
    return _preparing_cursor(connection) if _may_prepare(connection) else connection.cursor()


def _may_prepare(connection: Any) -> bool:
    """
    Whether statements can be kept prepared in the session.

    Not where the project says that sessions are shared (DISABLE_SERVER_SIDE_CURSORS, as behind pgbouncer in
    transaction mode), where they turned out to be, or where it binds parameters in the server by itself. Nor where
    queries are logged (DEBUG, tests): of a prepared statement the driver keeps no text for the log.
    """
    settings = connection.settings_dict
    return (
        connection.vendor == "postgresql"
        and connection.alias not in _shared_sessions
        and not connection.queries_logged
        and not settings.get("DISABLE_SERVER_SIDE_CURSORS")
        and not settings.get("OPTIONS", {}).get("server_side_binding")
    )


def _preparing_cursor(connection: Any) -> Any:
    """
    Return a cursor under which psycopg prepares what it executes often; Django's own never does.

    It is wrapped as Django wraps its own, so that wrappers and error classes are the same.
    """
    connection.ensure_connection()
    session = connection.connection
    if session.prepare_threshold is None:
        session.prepare_threshold = _PREPARED_FROM
    with connection.wrap_database_errors:
        cursor = connection.Database.Cursor(session)
    return connection.make_cursor(cursor)


def insert_query(model: type[models.Model], columns: Mapping[str, Any], *, ignore_conflicts: bool = False) -> Query:
    """
    Return an INSERT of one row; a column's value is a Slot, an expression or a plain value.

    Columns that are not given get the model's default, or are left to the database where they may be NULL.
    """
    query = InsertQuery(model, on_conflict=OnConflict.IGNORE if ignore_conflicts else None)
    row = model()
    fields = [field for field in model._meta.concrete_fields if field.attname in columns or _needs_value(field)]
    for field in fields:
        if field.attname in columns:
            setattr(row, field.attname, columns[field.attname])
    query.insert_values(fields, [row])
    return query


def _needs_value(field: models.Field[Any, Any]) -> bool:
    return not (field.null or field.primary_key or field.has_db_default())


def update_query(queryset: models.QuerySet[Any], columns: Mapping[str, Any]) -> Query:
    """Return an UPDATE of the rows of a queryset; a column's value is a Slot, an expression or a plain value."""
    query: Any = queryset.query.chain(UpdateQuery)
    query.add_update_values(columns)
    return cast("Query", query)


def slots(model: type[models.Model], *names: str) -> dict[str, Any]:
    """Return a Slot for each named column, keyed by the column's attribute name."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return {name: Slot(name, fields[name]) for name in names}
