"""Workflow: one durable execution, one row; its states, and the verbs of the attempt that owns it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.contenttypes.fields import GenericForeignKey
from django.db import models, router, transaction
from django.db.models import Q, Subquery
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext_lazy as _

from durable_django.base import payloads
from durable_django.base.clock import Later, MomentField, Now
from durable_django.exceptions import RecoveriesExhausted
from durable_django.models import followers, purging, watchers
from durable_django.models.compiled import Slot, Statement, insert_query, slots, update_query
from durable_django.models.fields import IdField, Literal
from durable_django.models.operators import OperatorRowVerbs
from durable_django.models.permissions import of_verbs
from durable_django.models.recovery import SUSPECT_RECOVERIES, recovery_delay
from durable_django.models.status import Status
from durable_django.models.step import Step
from durable_django.models.stops import ending, paused
from durable_django.models.workflow_queryset import WorkflowQuerySet

RUNNABLE = Q(status="queued", run_after__isnull=True, worker__isnull=True)


class Workflow(OperatorRowVerbs, models.Model):
    """
    One workflow.

    attempt     counts claims and is, with worker, the fencing token: every durable write of an execution carries both
    worker      the worker that holds the row; also while a paused or cancelled attempt has not let go yet
    run_after   not before this moment: QUEUED for later, or WAITING until then; NULL otherwise
    runnable_at since when it can be claimed, once it was put back, promoted or woken; before, since created_at
    line        place in the queue among equal priorities, strictly increasing for each starting process
    recoveries  leases lost in a row without a new checkpoint
    failures    how often the workflow's own retry= put it back
    is_watched  somebody waits for an event or the end of it, and is to be woken
    on_failure, on_cancel   names of workflows: see models/followers.py
    replacements  ids of workflows whose results a fork reads: see models/replacements.py

    deduplication_key, is_debounced, latest_start: see models/duplicates.py
    retention_seconds, pruned_at, is_bare: see models/retention.py
    """

    id = IdField(_("id"), primary_key=True)
    name = models.CharField(_("name"), max_length=255)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.QUEUED)
    queue = models.CharField(_("queue"), max_length=255, default="default")
    priority = models.SmallIntegerField(_("priority"), default=0)
    line = models.BigIntegerField()
    partition_key = models.CharField(max_length=255, null=True, blank=True)
    deduplication_key = models.CharField(max_length=255, null=True, blank=True)
    is_async = models.BooleanField(default=False)
    version = models.CharField(max_length=255, default="", blank=True)
    application = models.CharField(max_length=255, default="", blank=True)

    arguments = models.TextField()
    fingerprint = models.CharField(max_length=64)
    output = models.TextField(null=True, blank=True)
    error = models.TextField(null=True, blank=True)
    reason = models.TextField(_("reason"), default="", blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    subject_type = models.ForeignKey(
        "contenttypes.ContentType", models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    subject_id = models.CharField(max_length=255, null=True, blank=True)
    subject = GenericForeignKey("subject_type", "subject_id")
    started_by = models.CharField(max_length=255, default="", blank=True)
    trace_context = models.TextField(default="", blank=True)

    parent = models.ForeignKey(
        "self",
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        related_name="children",
    )
    forked_from = models.ForeignKey(
        "self", models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_index=False, related_name="forks"
    )
    replacements = models.TextField(default="", db_default="", blank=True)
    schedule = models.CharField(max_length=255, default="", blank=True)
    on_failure = models.CharField(max_length=255, default="", db_default="", blank=True)
    on_cancel = models.CharField(max_length=255, default="", db_default="", blank=True)

    worker = models.CharField(max_length=64, null=True, blank=True)
    attempt = models.IntegerField(_("attempt"), default=0)
    recoveries = models.IntegerField(default=0)
    max_recoveries = models.IntegerField()
    failures = models.IntegerField(default=0)

    run_after = MomentField(_("run after"), null=True, blank=True)
    runnable_at = MomentField(null=True, blank=True)
    is_debounced = models.BooleanField(db_default=False)
    latest_start = MomentField(null=True, blank=True)
    waiting_for = IdField(max_length=600, default="", blank=True)
    is_watched = models.BooleanField(default=False)
    timeout_seconds = models.FloatField(null=True, blank=True)
    deadline = MomentField(null=True, blank=True)
    remaining_seconds = models.FloatField(null=True, blank=True)
    retention_seconds = models.IntegerField(null=True, blank=True)
    pruned_at = MomentField(_("pruned at"), null=True, blank=True)
    is_bare = models.BooleanField(db_default=False)
    created_at = MomentField(db_default=Now())
    started_at = MomentField(null=True, blank=True)
    claimed_at = MomentField(null=True, blank=True)
    finished_at = MomentField(null=True, blank=True)

    objects = WorkflowQuerySet.as_manager()

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        # What people have passed and what came of it is not for everybody who may see that it runs.
        permissions = [("view_payload", "Can view payloads"), *of_verbs("workflow")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="durable_workflow_status"),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(worker__isnull=False), name="durable_workflow_running_has_worker"
            ),
            models.UniqueConstraint(
                fields=["queue", "deduplication_key"],
                condition=Q(deduplication_key__isnull=False, finished_at__isnull=True),
                name="durable_workflow_dedup",
            ),
        ]
        # Every index but the last four is partial, over live rows only: a million finished ones cost a claim nothing.
        indexes = [
            models.Index(
                "queue",
                "is_async",
                models.F("priority").desc(),
                "line",
                condition=RUNNABLE,
                name="durable_workflow_runnable",
            ),
            models.Index(
                "queue",
                "is_async",
                "partition_key",
                models.F("priority").desc(),
                "line",
                condition=RUNNABLE & Q(partition_key__isnull=False),
                name="durable_workflow_partition",
            ),
            models.Index(
                "queue",
                "is_async",
                models.F("priority").desc(),
                "line",
                condition=RUNNABLE & Q(attempt__gt=0),
                name="durable_workflow_begun",
            ),
            models.Index(
                fields=["queue", "line"],
                condition=RUNNABLE & Q(recoveries__gte=SUSPECT_RECOVERIES),
                name="durable_workflow_suspect",
            ),
            models.Index(fields=["run_after"], condition=Q(run_after__isnull=False), name="durable_workflow_timer"),
            models.Index(fields=["name"], condition=Q(waiting_for="code"), name="durable_workflow_no_code"),
            models.Index(fields=["waiting_for"], condition=Q(waiting_for__gt=""), name="durable_workflow_waiting"),
            models.Index(fields=["worker"], condition=Q(worker__isnull=False), name="durable_workflow_owned"),
            models.Index(
                fields=["deadline"],
                condition=Q(deadline__isnull=False, finished_at__isnull=True),
                name="durable_workflow_deadline",
            ),
            models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="durable_workflow_parent"),
            models.Index(fields=["forked_from"], condition=Q(forked_from__isnull=False), name="durable_workflow_fork"),
            models.Index(fields=["status"], condition=Q(replacements__gt=""), name="durable_workflow_replacing"),
            models.Index(
                fields=["schedule"],
                condition=Q(schedule__gt="", finished_at__isnull=True),
                name="durable_workflow_schedule",
            ),
            models.Index(
                fields=["subject_type", "subject_id"],
                condition=Q(subject_id__isnull=False),
                name="durable_workflow_subject",
            ),
            models.Index(fields=["-created_at"], condition=Q(status="paused"), name="durable_workflow_paused"),
            models.Index(
                fields=["status", "-finished_at"],
                condition=Q(finished_at__isnull=False),
                name="durable_workflow_finished",
            ),
            models.Index(
                fields=["retention_seconds", "status", "finished_at"],
                condition=Q(finished_at__isnull=False, is_bare=False),
                name="durable_workflow_retention",
            ),
            models.Index(fields=["finished_at"], condition=Q(is_bare=True), name="durable_workflow_bare"),
            models.Index(fields=["-created_at"], name="durable_workflow_created"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_finished(self) -> bool:
        """Whether the status is one of the three that end a workflow."""
        return self.status in Status.terminal()

    @property
    def has_history(self) -> bool:
        """Whether steps may be recorded: not in the first attempt of a workflow that was not forked."""
        return self.attempt > 1 or self.forked_from_id is not None

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:  # noqa: FBT001, FBT002 - as in Django
        """Delete the row with all that it owns. Raises ProtectedError if it has not ended: see purge()."""
        alias = using or router.db_for_write(Workflow, instance=self)
        with transaction.atomic(using=alias):
            purging.refuse_live(Workflow.objects.using(alias).filter(pk=self.pk))
            return super().delete(using=alias, keep_parents=keep_parents)

    delete.alters_data = True  # type: ignore[attr-defined]

    # The verbs of the attempt that owns the row. Each is fenced, and says whether the fence held.

    def succeed(self, output: str | None) -> bool:
        """End it with a result, if this attempt still owns it."""
        return self._end(_SUCCEED, Status.SUCCEEDED, output=output, error=None)

    def fail(self, error: str) -> bool:
        """End it with an error, if this attempt still owns it."""
        return self._end(_FAIL, Status.FAILED, error=error)

    def suspend(
        self, waiting_for: str, poll_seconds: float | None = None, places: Collection[tuple[str, int]] = ()
    ) -> bool:
        """
        Let it wait, if this attempt still owns it: until the earliest moment in its unfinished steps, or a wake().

        waiting_for   what a sender, an event or an end must be to wake it
        poll_seconds  look again after so long at the latest, for what nobody would wake it for
        places        of the steps that count, see next_moments()
        """
        if poll_seconds is None and not places:
            return self._write(_SUSPEND, waiting_for=waiting_for)
        run_after: Any = Subquery(Step.objects.next_moments(self.pk, places))
        if poll_seconds is not None:
            run_after = Least(Coalesce(run_after, Later(poll_seconds)), Later(poll_seconds))
        columns = {"worker": None, "run_after": run_after, "waiting_for": waiting_for}
        return bool(self._owned().update(status=Status.WAITING, **columns))

    def retry(self, delay_seconds: float, error: str) -> bool:
        """Put it back after a failure, to replay what succeeded, if this attempt still owns it."""
        return bool(
            self._owned().update(
                status=Status.WAITING,
                worker=None,
                run_after=Later(delay_seconds),
                waiting_for="retry",
                failures=models.F("failures") + 1,
                error=error,
            )
        )

    def release(self, delay_seconds: float = 0, **columns: Any) -> bool:
        """Put it back in its queue unfinished, if this attempt still owns it."""
        columns |= {"run_after": Later(delay_seconds) if delay_seconds else None, "runnable_at": Now()}
        return bool(self._owned().update(status=Status.QUEUED, worker=None, **columns))

    def step_back(self, least_seconds: float = 1.0) -> bool:
        """Release it because something failed under it: counts, and waits, as a lost lease does."""
        recoveries = self.recoveries + 1
        if recoveries > self.max_recoveries:
            self.recoveries = recoveries
            error = RecoveriesExhausted(workflow_id=self.pk, recoveries=recoveries)
            return self.exhaust(payloads.encode_error(error))
        return self.release(max(least_seconds, recovery_delay(recoveries)), recoveries=recoveries)

    def exhaust(self, error: str) -> bool:
        """End it because it lost its worker too often, if this attempt still owns it. Call it with no row locked."""
        self._owned().update(recoveries=self.recoveries)
        return self.fail(error)

    def diverge(self, reason: str) -> bool:
        """Pause it, since the code does not fit its history, if this attempt still owns it."""
        return bool(self._owned().update(worker=None, **paused(reason)))

    def let_go(self) -> bool:
        """Clear the worker of a row that was taken out of RUNNING under this attempt."""
        mine = Workflow.objects.using(self._state.db).filter(pk=self.pk, attempt=self.attempt, worker=self.worker)
        return bool(mine.exclude(status=Status.RUNNING).update(worker=None))

    def lock_owned(self, *, is_running: bool = True, nowait: bool = False) -> bool:
        """
        Lock the row until the transaction ends; whether this attempt (still RUNNING, if asked) owns it.

        nowait  raise OperationalError (55P03) if somebody holds it, where the database can
        """
        rows = self._owned() if is_running else self._alone().filter(attempt=self.attempt)
        return rows.select_for_update(no_key=True, nowait=nowait).values_list("pk", flat=True).first() is not None

    def _end(self, statement: Statement, status: str, **columns: Any) -> bool:
        return self._write(statement, **columns) or self._end_watched(status, columns)

    def _end_watched(self, status: str, columns: dict[str, Any]) -> bool:
        """End it, wake who waits for that and start what follows, in one transaction; whether this attempt owned it."""
        rows = Workflow.objects.using(self._state.db)
        with transaction.atomic(using=self._state.db):
            # Strangers who wait for it, too: one that is locked behind it may be held by a verb that waits for it.
            others = {*filter(None, [self.parent_id]), *watchers.by_name(rows, [self.pk])}
            self._alone().lock_in_order({self.pk, *others})
            is_noted = Q(is_watched=True) | ~Q(on_failure="") if status == Status.FAILED else Q(is_watched=True)
            ended = self._owned().filter(is_noted).update(**ending(status), worker=None, **columns)
            if ended:
                rows.wake_watchers([self.pk])
                if status == Status.FAILED:
                    followers.start(rows, [self.pk], "on_failure")
        return bool(ended)

    def _owned(self) -> WorkflowQuerySet:
        # By the worker, too: a server that crashed may have lost a claim, and given its number to another worker.
        return self._alone().filter(attempt=self.attempt, worker=self.worker, status=Status.RUNNING)

    def _write(self, statement: Statement, **values: Any) -> bool:
        alias = self._state.db or "default"
        fence = {"id": self.pk, "attempt": self.attempt, "worker": self.worker}
        return bool(statement.execute(alias, {**fence, **values}))


_SLOTS = slots(Workflow, "id", "attempt", "worker", "output", "error")
_STARTED = (
    "id", "name", "queue", "priority", "line", "arguments", "fingerprint", "attributes", "started_by",
    "max_recoveries", "timeout_seconds", "application", "is_async", "version", "status", "attempt", "worker",
    "parent_id", "partition_key", "deduplication_key", "schedule", "retention_seconds", "on_failure", "on_cancel",
    "subject_type_id", "subject_id", "trace_context",
)  # fmt: skip


def _owned(alias: str) -> WorkflowQuerySet:
    rows = Workflow.objects.using(alias).filter(pk=_SLOTS["id"], attempt=_SLOTS["attempt"], worker=_SLOTS["worker"])
    return rows.filter(status=Literal("running"))


def _finish(alias: str, status: str, **columns: Any) -> Any:
    plain = Q(is_watched=False, on_failure="") if status == Status.FAILED else Q(is_watched=False)
    return update_query(_owned(alias).filter(plain), {**ending(status), "worker": None, **columns})


def _start(moments: dict[str, Any]) -> Statement:
    columns = {**slots(Workflow, *_STARTED), "created_at": Now(), **moments}
    return Statement(lambda _alias: insert_query(Workflow, columns, ignore_conflicts=True), returning=("created_at",))


def _suspend(alias: str) -> Any:
    run_after = Subquery(Step.objects.next_moments(_SLOTS["id"]))
    columns = {"status": Literal("waiting"), "worker": None, "run_after": run_after}
    return update_query(_owned(alias), {**columns, "waiting_for": Slot("waiting_for", models.CharField())})


_SUSPEND = Statement(_suspend)
_SUCCEED = Statement(lambda alias: _finish(alias, Status.SUCCEEDED, output=_SLOTS["output"], error=None))
_FAIL = Statement(lambda alias: _finish(alias, Status.FAILED, error=_SLOTS["error"]))

#: INSERT ... ON CONFLICT DO NOTHING of one workflow: it returns the moment of a new one, else nothing. START_LATER
#: takes its moment, START_DELAYED seconds from the database's now, START_DEBOUNCED also the latest moment to which
#: later calls may move it (NULL seconds: none), START_RUNNING a row already claimed by its starter.
START = _start(slots(Workflow, "deadline"))
START_LATER = _start(slots(Workflow, "deadline", "run_after"))
START_DELAYED = _start({**slots(Workflow, "deadline"), "run_after": Later(Slot("delay_seconds", models.FloatField()))})
START_DEBOUNCED = _start(
    {
        **slots(Workflow, "deadline", "is_debounced"),
        "run_after": Later(Slot("delay_seconds", models.FloatField())),
        "latest_start": Later(Slot("debounce_max_seconds", models.FloatField())),
    }
)
START_RUNNING = _start(
    {
        "started_at": Now(),
        "claimed_at": Now(),
        "deadline": Later(Slot("timeout_seconds", models.FloatField())),
    }
)
