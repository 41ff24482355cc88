"""Counts that stop: how many rows a query finds, up to a bound, as a value inside another query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery, Value
from django.utils.formats import number_format

#: Nothing is counted further: counting millions of rows takes seconds, and tells nobody anything.
MOST_COUNTED = 10_000


@dataclass(frozen=True)
class Count:
    """A number of rows, and whether there are more of them."""

    number: int
    is_capped: bool = False

    @classmethod
    def up_to(cls, found: int, most: int = MOST_COUNTED) -> Count:
        """Return the count of what was looked for up to one more than the most."""
        return cls(min(found, most), found > most)

    @property
    def spoken(self) -> str:
        """The number, with a + if there are more."""
        number = number_format(self.number, force_grouping=True)
        return f"{number}+" if self.is_capped else number

    def __bool__(self) -> bool:
        return self.number > 0


class Counted(Subquery):
    """How many rows a query finds: at most one more than the bound, by which it is seen that there are more."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any], most: int = MOST_COUNTED) -> None:
        # No column of the row: an index alone may do.
        super().__init__(rows.values(one=Value(1))[: most + 1])
