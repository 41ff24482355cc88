"""How a workflow ends, is cancelled or paused: the columns, and what is due with a cancellation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Case, Q, When

from durable_django.base.clock import Now, SecondsUntil
from durable_django.models import followers
from durable_django.models.status import Status

if TYPE_CHECKING:
    from durable_django.models.workflow_queryset import WorkflowQuerySet

#: The reason of a workflow that its deadline has cancelled; rows keep it in this language, whoever reads them.
DEADLINE_PASSED = "its deadline passed"


def ending(status: str) -> dict[str, Any]:
    """Return the columns of an end; the worker is cleared by whoever lets go."""
    return {
        "status": status,
        "finished_at": Now(),
        "run_after": None,
        "waiting_for": "",
    }


def cancel(rows: WorkflowQuerySet, reason: str, followed: set[str]) -> int:
    """Cancel these, and what is due with it. Add the ids of what follows."""
    noted = rows.filter(Q(is_watched=True) | ~Q(on_cancel="")).values_list("pk", "is_watched", "on_cancel")
    found = list(noted)
    count = rows.update(reason=reason, **ending(Status.CANCELLED))
    all_rows = rows.model._default_manager.using(rows.db)
    all_rows.wake_watchers(pk for pk, is_watched, _follower in found if is_watched)
    followed.update(followers.start(all_rows, [pk for pk, _is_watched, follower in found if follower], "on_cancel"))
    return count


def paused(reason: str) -> dict[str, Any]:
    """Return the columns of a pause: the deadline stands still, what is left of it is kept."""
    return {
        "status": Status.PAUSED,
        "reason": reason,
        "remaining_seconds": Case(When(deadline__isnull=False, then=SecondsUntil("deadline"))),
        "deadline": None,
    }
