"""What a search for a workflow finds: an id or its beginning, a deduplication key, or the beginning of a name."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from durable_django.admin import lists
from durable_django.base import registry
from durable_django.management.selection import beginning_with
from durable_django.models.queue import Queue


class Found(NamedTuple):
    """
    What a term means.

    rows     the workflows
    is_wide  whether no index finds them: they are looked for among others
    is_long  whether an index finds more of them than are counted: what is rare among them is as hard to find
    """

    rows: QuerySet[Any]
    is_wide: bool = False
    is_long: bool = False


def search(rows: QuerySet[Any], term: str, among: QuerySet[Any]) -> Found:
    """
    Return what a term means, by the first of these that finds any.

    1. The id, or its beginning: a range of the primary key.
    2. The deduplication key of a live workflow, whole (index durable_workflow_dedup).
    3. The beginning of a name that this process's code knows. No index has the names.

    Never by what stands in the middle of a text: for that all rows would have to be read.

    rows   those that filters leave
    among  those without filters, which say what is meant: what filters leave of many ids may be far apart
    """
    # In the order of the key, so that a look at a few of many reads no others.
    if count := beginning_with(among, term).order_by("pk").values("pk")[: lists.MOST_COUNTED + 1].count():
        return Found(beginning_with(rows, term), is_long=count > lists.MOST_COUNTED)
    key = Q(
        queue__in=Queue.objects.using(rows.db).values("pk"),
        deduplication_key__isnull=False,
        deduplication_key=term,
        finished_at__isnull=True,
    )
    if among.filter(key).order_by().exists():
        return Found(rows.filter(key))
    names = [name for name in registry.workflows.names() if name.startswith(term)]
    return Found(rows.filter(name__in=names), is_wide=True) if names else Found(rows.none())
