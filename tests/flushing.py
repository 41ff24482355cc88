"""
Tables of PostgreSQL, emptied after each test by DELETE.

Django truncates them, which makes new files for the table and all its indexes: 130 ms for some forty tables, most of
them empty, where DELETE takes 5. It leaves dead rows behind, so from a size on all are truncated as ever.
"""

from collections.abc import Sequence
from typing import Any

#: Bytes of the largest table up to which rows are deleted.
_LARGE = 512 * 1024


def delete_instead_of_truncate(connection: Any) -> None:
    """Let the flush of this connection delete rows."""
    truncate = connection.ops.sql_flush

    def flush(style: Any, tables: Sequence[str], **options: Any) -> list[str]:
        if options.get("reset_sequences") or _has_large(connection, tables):
            return list(truncate(style, tables, **options))
        # In any order: foreign keys are held against each other when the transaction ends.
        return [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]

    connection.ops.sql_flush = flush


def _has_large(connection: Any, tables: Sequence[str]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s) AND pg_relation_size(oid) > %s",
            [list(tables), _LARGE],
        )
        (count,) = cursor.fetchone()
    return bool(count)
