"""The id column, literals for the conditions of partial indexes, and membership in what a subquery chooses once."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class IdField(models.CharField):  # type: ignore[type-arg]
    """
    A text key of at most 255 characters, compared byte by byte.

    With COLLATE "C" an index of it serves prefix searches as well. The type is spelled out because Django makes a
    second, `_like` index for every key whose type begins with "varchar", also on each foreign key to it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor == "postgresql":
            return f"character varying({self.max_length})"
        return super().db_type(connection)

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters


class Literal(models.Expression):
    """
    A constant written into the SQL text instead of being bound as a parameter.

    SQLite uses a partial index only if it can prove its condition from the text of the query. And of a column that is
    compared with True or False Django makes a condition by itself, for which SQLite uses no index.
    """

    def __init__(self, value: str | int) -> None:
        kinds = {bool: models.BooleanField, int: models.IntegerField, str: models.CharField}
        super().__init__(output_field=kinds[type(value)]())
        if not (isinstance(value, int) or value.isidentifier()):
            message = f"Only whole numbers and plain words can be literals, got {value!r}."
            raise ValueError(message)
        self.value = value

    def as_sql(self, _compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        if isinstance(self.value, bool):
            return (str(int(self.value)) if connection.vendor == "sqlite" else str(self.value).upper()), []
        return (str(self.value) if isinstance(self.value, int) else f"'{self.value}'"), []


class EmptyText(models.Expression):
    """The empty text as a literal: PostgreSQL, too, uses no partial index of a value that a prepared query is given."""

    def __init__(self) -> None:
        super().__init__(output_field=models.CharField())

    def as_sql(self, _compiler: Any, _connection: BaseDatabaseWrapper) -> Any:
        return "''", []


class AnyOf(models.Lookup):
    """
    The condition that a column is one of what a query chooses, which is executed once.

    In `column IN (SELECT ... LIMIT n FOR UPDATE SKIP LOCKED)` PostgreSQL may execute the subquery for each row anew,
    and so choose more than n. An array is made once. A lookup, since of any other condition Django 6.1 makes a
    comparison on SQLite, which then reads the whole table.
    """

    prepare_rhs = False

    def __init__(self, column: str, chosen: models.QuerySet[Any, Any]) -> None:
        super().__init__(models.F(column), models.Subquery(chosen))

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        column, column_params = compiler.compile(self.lhs)
        chosen, chosen_params = compiler.compile(self.rhs)
        template = "{} = ANY(ARRAY{})" if connection.vendor == "postgresql" else "{} IN {}"
        return template.format(column, chosen), [*column_params, *chosen_params]
