"""Replacements: workflows whose results a fork reads in the place of its origin's children; they stay for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from durable_django.models.fields import EmptyText
from durable_django.models.status import Status

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: No id has one in it.
_BETWEEN = "\n"


def joined(inherited: str, more: Iterable[str]) -> str:
    """Return the text of a fork's row: what its origin names already, since their steps are shared, and more."""
    return _BETWEEN.join(sorted({*_names(inherited), *more}))


def needed(rows: WorkflowQuerySet, ids: Collection[str]) -> set[str]:
    """
    Return which of these a fork names that can go on, and may ask for their results.

    One query, of all such forks (index durable_workflow_replacing): an operator names each by hand, so they are few.
    """
    if not ids:
        return set()
    forks = rows.model._default_manager.using(rows.db).filter(replacements__gt=EmptyText(), pruned_at__isnull=True)
    texts = forks.exclude(status=Status.SUCCEEDED).values_list("replacements", flat=True)
    named = {name for text in texts for name in _names(text)}
    return named.intersection(ids)


def _names(text: str) -> list[str]:
    return text.split(_BETWEEN) if text else []
