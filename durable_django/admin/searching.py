"""What a search for a workflow finds: an id or its beginning, a deduplication key, or the beginning of a name."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from durable_django.base import registry
from durable_django.management.selection import beginning_with
from durable_django.models.queue import Queue


def search(rows: QuerySet[Any], term: str) -> QuerySet[Any]:
    """
    Return the rows that a term means, by the first of these that finds any.

    1. The id, or its beginning: a range of the primary key.
    2. The deduplication key of a live workflow, whole (index durable_workflow_dedup).
    3. The beginning of a name that this process's code knows.

    Never by what stands in the middle of a text: for that all rows would have to be read.
    """
    by_id = beginning_with(rows, term)
    if by_id.order_by().exists():
        return by_id
    queues = Queue.objects.using(rows.db).values("pk")
    by_key = rows.filter(
        queue__in=queues, deduplication_key__isnull=False, deduplication_key=term, finished_at__isnull=True
    )
    if by_key.order_by().exists():
        return by_key
    names = [name for name in registry.workflows.names() if name.startswith(term)]
    return rows.filter(name__in=names) if names else by_id
