"""WorkflowQuerySet: workflows by state, and the verbs that change many of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, When

from durable_django import signals
from durable_django.base.clock import Later, Now
from durable_django.models import bereft, claims, purging, stops, subjects, watchers, witnesses
from durable_django.models.claims import Wanted
from durable_django.models.compiled import Slot, Statement, update_query
from durable_django.models.fields import Literal
from durable_django.models.operators import OperatorVerbs
from durable_django.models.recovery import SUSPECT_RECOVERIES, Recovery, recover
from durable_django.models.status import Status
from durable_django.models.worker import Worker

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow

#: Rows that one verb changes in one transaction; a longer one would hold its locks for too long.
BATCH = 500
#: Rows that one statement wakes: SQLite takes a bounded number of parameters, 32,766 in most builds.
WOKEN_AT_ONCE = 10_000
#: A claim is in the hands of its worker a moment after it was committed.
_STRAY_SECONDS = 2.0


class WorkflowQuerySet(OperatorVerbs):
    """Every method that finds rows names its index; every verb decides in the database, by status."""

    # -- adjectives -------------------------------------------------------------------------------------------------

    def queued(self) -> Self:
        """Those that wait in their queue, now or for later."""
        return self.filter(status=Status.QUEUED)

    def running(self) -> Self:
        """Those that a worker is executing."""
        return self.filter(status=Status.RUNNING)

    def waiting(self) -> Self:
        """Those that gave their thread back until a moment or a message."""
        return self.filter(status=Status.WAITING)

    def paused(self) -> Self:
        """Those that an operator, or code that does not fit, has stopped."""
        return self.filter(status=Status.PAUSED)

    def finished(self) -> Self:
        """Those that ended, well or badly."""
        return self.filter(status__in=Status.terminal())

    def failed(self) -> Self:
        """Those that ended with an error."""
        return self.filter(status=Status.FAILED)

    def for_subject(self, subject: models.Model) -> Self:
        """Those that were started with using(subject=) for this row (index durable_workflow_subject)."""
        type_id, subject_id = subjects.refer(subjects.require_saved(subject), self.db)
        return self.filter(subject_type=type_id, subject_id=subject_id)

    def runnable(self, queue: str | models.Expression | F) -> Self:
        """Those that a worker may claim now, in the order of their turn (index durable_workflow_runnable)."""
        ready = self.filter(queue=queue, status=Literal("queued"), run_after__isnull=True, worker__isnull=True)
        return ready.order_by(F("priority").desc(), "line")

    def of_kind(self, is_async: bool | None) -> Self:  # noqa: FBT001 - the column's name says it
        """Those for threads, or for an event loop; None for both."""
        return self if is_async is None else self.filter(is_async=Literal(is_async))

    def keyless(self) -> Self:
        """Live ones that belong to no partition."""
        return self.filter(partition_key__isnull=True, finished_at__isnull=True).order_by()

    def due(self) -> Self:
        """Those whose moment has come (index durable_workflow_timer)."""
        return self.timed().filter(run_after__lte=Now())

    def timed(self) -> Self:
        """Those that become runnable at a moment (index durable_workflow_timer)."""
        return self.filter(run_after__isnull=False, status__in=(Status.QUEUED, Status.WAITING)).order_by("run_after")

    def orphaned(self) -> Self:
        """Those held by a worker that is gone or whose lease has passed (index durable_workflow_owned)."""
        living = Worker.objects.using(self.db).alive().filter(pk=OuterRef("worker"))
        return self.filter(~Exists(living), worker__isnull=False)

    def strays(self, worker_id: str, held: Collection[str]) -> Self:
        """Those that a living worker has in the database but not in its hands, for some seconds already."""
        mine = self.filter(worker=worker_id, claimed_at__lt=Later(-_STRAY_SECONDS))
        return mine.exclude(pk__in=list(held))

    def overdue(self) -> Self:
        """Live ones past their deadline; a pause stops the deadline (index durable_workflow_deadline)."""
        return self.filter(deadline__isnull=False, finished_at__isnull=True, deadline__lte=Now())

    def of_schedule(self, name: str) -> Self:
        """Those that a schedule has started, its ticks in order of time (a range of the primary key)."""
        first, behind = f"schedule:{name}:", f"schedule:{name};"
        return self.filter(schedule=name, pk__gte=first, pk__lt=behind).order_by("pk")

    def live_of_schedule(self, name: str) -> Self:
        """Those that a schedule has started and that have not ended (index durable_workflow_schedule)."""
        return self.filter(schedule=name, schedule__gt="", finished_at__isnull=True)

    # -- how verbs change many rows ----------------------------------------------------------------------------------

    def change(self, states: Collection[Status], change: Any, spared: Collection[str] = ()) -> int:
        """Apply the change to the rows in one of these states, locked in order of id, batch by batch."""
        batches = self.batches(Q(status__in=states), spared)
        return sum(self.change_batch(batch, states, change) for batch in batches)

    def change_batch(self, ids: list[str], states: Collection[Status], change: Any) -> int:
        """Apply a change to those with these ids that are in one of these states, in one transaction."""
        rows = self.model._default_manager.using(self.db)
        with transaction.atomic(using=self.db):
            # Those, too, who are to be woken if these end.
            locked = self.lock_in_order({*ids, *watchers.of(rows, ids)})
            chosen = [each for each in ids if locked.get(each) in states]
            if not chosen:
                return 0
            with witnesses.seen(rows.filter(pk__in=chosen)):
                return int(change(rows.filter(pk__in=chosen)))

    def lock_in_order(self, ids: Collection[str]) -> dict[str, str]:
        """
        Lock workflows until the transaction ends. Return the status of each.

        All who lock several lock them in order of id: otherwise two bulk verbs could deadlock, or one and the end of a
        child, which wakes its parent.
        """
        rows = self.model._default_manager.using(self.db).filter(pk__in=ids)
        return dict(rows.order_by("pk").select_for_update(no_key=True).values_list("pk", "status"))

    def batches(self, chosen: Q, spared: Collection[str] = ()) -> Iterator[list[str]]:
        """Yield the ids of those that are chosen, in order, batch by batch, but those that are spared by then."""
        ids = self.filter(chosen).order_by("pk").values_list("pk", flat=True)
        last, batch = "", list(ids[:BATCH])
        while batch:
            yield [each for each in batch if each not in spared]
            last = batch[-1]
            batch = list(ids.filter(pk__gt=last)[:BATCH])

    # -- verbs of those who bring what is waited for -----------------------------------------------------------------

    def awaiting(self, *texts: str) -> Self:
        """Those that wait for one of these, and nothing else (index durable_workflow_waiting)."""
        return self.filter(status=Status.WAITING, waiting_for__gt="", waiting_for__in=texts)

    def wake(self) -> int:
        """Make those of them runnable that wait. Return how many. Workers are rung once it is committed."""
        waiting = self.filter(status=Status.WAITING).order_by("pk").select_for_update(no_key=True)
        ids = list(waiting.values_list("pk", flat=True))
        if not ids:
            return 0
        rows = self.model._default_manager.using(self.db).filter(status=Status.WAITING)
        count = sum(
            rows.filter(pk__in=ids[at : at + WOKEN_AT_ONCE]).update(**_WOKEN)
            for at in range(0, len(ids), WOKEN_AT_ONCE)
        )
        signals.workflows_woken.send_robust(sender=None, alias=self.db, count=count)
        return count

    def wake_locked(self, workflow_ids: Collection[str]) -> None:
        """Make those runnable that wait, whose rows the caller has locked. Workers are rung once it is committed."""
        if len(workflow_ids) == 1:
            (workflow_id,) = workflow_ids
            count = _WAKE.execute(self.db, {"id": workflow_id})
        else:
            count = self.filter(pk__in=workflow_ids, status=Status.WAITING).update(**_WOKEN)
        if count:
            signals.workflows_woken.send_robust(sender=None, alias=self.db, count=count)

    def wake_watchers(self, workflow_ids: Iterable[str]) -> None:
        """Wake those that wait for the end of these workflows, or for an event that cannot come any more."""
        watchers.wake(self, workflow_ids)

    def watch(self) -> None:
        """Note that somebody waits for an event or the end of these, whose rows the caller has locked."""
        self.filter(is_watched=False, finished_at__isnull=True).update(is_watched=True)

    def wake_bereft(self) -> int:
        """Wake those that wait for a workflow that is gone. Return how many. See models/bereft.py."""
        return bereft.wake(self)

    def delete(self) -> tuple[int, dict[str, int]]:
        """
        Delete them with all that they own, in one transaction; purge() does the same in batches.

        Raises ProtectedError if one of them has not ended, or its last attempt has not let go; nothing is deleted then.
        """
        with transaction.atomic(using=self.db):
            purging.refuse_live(self)
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    # -- verbs of workers -------------------------------------------------------------------------------------------

    def claim(
        self, worker_id: str, queue: str, limit: int, *, names: Collection[str], is_async: bool | None = None
    ) -> list[Workflow]:
        """
        Give the next runnable workflows of a queue to a worker. Return them as they are now: RUNNING, attempt + 1.

        At most `limit`; SKIP LOCKED where it exists, so that workers do not queue up behind each other. If there are
        none, those whose name the worker does not know are put aside, so that they stand before nobody. One that is
        suspected of killing its worker is not taken here: see claim_suspect().
        """
        return claims.claim(self.db, worker_id, Wanted(queue, limit, tuple(names), is_async=is_async))

    def put_aside(self, queue: str, *, names: Collection[str]) -> None:
        """Let runnable workflows of other names stand before nobody for 30 seconds."""
        claims.put_aside(self.db, queue, names)

    def claim_suspect(self, worker_id: str, queue: str, *, names: Collection[str]) -> list[Workflow]:
        """Give one workflow that may have killed its workers to a worker that will run nothing else beside it."""
        return claims.claim(self.db, worker_id, Wanted(queue, 1, tuple(names), is_alone=True))

    def claim_one(self, workflow_id: str, worker_id: str) -> list[Workflow]:
        """Give one workflow, if it is due and nobody has it, to the thread that waits for it."""

        def choose(rows: WorkflowQuerySet) -> WorkflowQuerySet:
            return rows.filter(_is_free(), pk=workflow_id)

        return claims.claim_chosen(self.db, worker_id, choose)

    def claim_descendant(self, workflow_id: str, worker_id: str, *, names: Collection[str]) -> list[Workflow]:
        """
        Give one due descendant of a workflow that nobody has to the thread that waits for the workflow.

        One query for each level, however many wait for something else (index durable_workflow_parent).
        """
        parents = [workflow_id]
        while parents:
            live = self.filter(parent_id__isnull=False, parent_id__in=parents, finished_at__isnull=True)
            is_free = Case(When(_is_free(), name__in=names, then=True), default=False)
            children = list(live.order_by("line").values_list("pk", is_free))
            for child_id, is_free_now in children:
                if is_free_now and (found := self.claim_one(child_id, worker_id)):
                    return found
            parents = [child_id for child_id, _is_free_now in children]
        return []

    def suspects(self) -> Self:
        """Those that lost several workers in a row (index durable_workflow_suspect)."""
        return self.filter(recoveries__gte=Literal(SUSPECT_RECOVERIES))

    def unsuspected(self) -> Self:
        """Those that have not lost several workers in a row."""
        return self.filter(recoveries__lt=Literal(SUSPECT_RECOVERIES))

    def promote(self, limit: int = BATCH) -> int:
        """Make due workflows runnable, a bounded batch; return how many. SKIP LOCKED: workers share the work."""
        return self.due().update_free(limit, **_PROMOTED)

    def promote_known(self, names: Collection[str], limit: int = BATCH) -> int:
        """Make workflows runnable that waited for a worker with their code (index durable_workflow_no_code)."""
        aside = self.filter(waiting_for=Literal("code"), name__in=names, status=Status.QUEUED)
        # Asked often and in vain: without a lock.
        return aside.update_free(limit, run_after=None, waiting_for="") if aside.exists() else 0

    def update_free(self, limit: int, **changes: Any) -> int:
        """
        Change those whose rows nobody has locked, a bounded batch in one transaction. Return how many.

        Upkeep does not wait for a verb of operators, which locks many rows in order of id: each would hold what the
        other waits for.
        """
        with transaction.atomic(using=self.db):
            free = self.select_for_update(skip_locked=True, no_key=True)
            ids = list(free.values_list("pk", flat=True)[:limit])
            return self.model._default_manager.using(self.db).filter(pk__in=ids).update(**changes) if ids else 0

    def expire(self) -> int:
        """Cancel overdue workflows, whoever has them. Return how many."""
        overdue = self.overdue()
        return overdue.change(
            (Status.QUEUED, Status.WAITING, Status.RUNNING),
            lambda rows: stops.cancel(rows.filter(deadline__lte=Now()), stops.DEADLINE_PASSED, set()),
        )

    def recover(self, limit: int = BATCH, *, is_immediate: bool = False) -> Recovery:
        """Put the workflows of lost workers back in their queues. See models/recovery.py."""
        return recover(self.orphaned(), limit, is_immediate=is_immediate)

    def recover_strays(self, worker_id: str, held: Collection[str]) -> Recovery:
        """Put back what a worker holds without running it."""
        return recover(self.strays(worker_id, held), BATCH)


def _is_free() -> Q:
    """Return the condition of what is due and held by nobody."""
    is_due = Q(run_after__lte=Now()) | Q(run_after__isnull=True, status=Status.QUEUED)
    return Q(is_due, worker__isnull=True, status__in=(Status.QUEUED, Status.WAITING))


_WOKEN = {"status": Literal("queued"), "run_after": None, "runnable_at": Now(), "waiting_for": ""}
#: Who was put aside for want of code stands in line all the same.
_DUE_SINCE = Case(When(waiting_for="code", then=F("runnable_at")), default=F("run_after"))
_PROMOTED = {"status": Status.QUEUED, "run_after": None, "runnable_at": _DUE_SINCE, "waiting_for": ""}


def _wake(alias: str) -> Any:
    rows = claims.workflows(alias).filter(pk=Slot("id", models.CharField()), status=Literal("waiting"))
    return update_query(rows, _WOKEN)


_WAKE = Statement(_wake)
