"""Enqueueing after the commit of a transaction on another database than that of the workflow tables."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, transaction

from durable_django.tasks.sources import AnyTask


def enqueue_on_commit(task: AnyTask, /, *args: Any, using: str = DEFAULT_DB_ALIAS, **kwargs: Any) -> None:
    """
    Enqueue the task once the caller's transaction on the database `using` is committed; never after a rollback.

    For transactions on another database than that of the workflow tables: those on the same one need no help, since
    `task.enqueue()` is a part of them. A process that dies between the commit and the enqueueing loses the task.
    """
    transaction.on_commit(partial(task.enqueue, *args, **kwargs), using=using)
