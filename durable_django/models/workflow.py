"""Workflow: one durable execution, one row; its states, and the verbs of the attempt that owns it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from durable_django.base import payloads
from durable_django.base.clock import Later, MomentField, Now
from durable_django.exceptions import RecoveriesExhausted
from durable_django.models.compiled import Slot, Statement, insert_query, slots, update_query
from durable_django.models.fields import IdField, Literal
from durable_django.models.recovery import SUSPECT_RECOVERIES, recovery_delay
from durable_django.models.status import Status
from durable_django.models.workflow_queryset import WorkflowQuerySet, paused

RUNNABLE = Q(status="queued", run_after__isnull=True, worker__isnull=True)


class Workflow(models.Model):
    """
    One workflow.

    attempt     counts claims and is the fencing token: every durable write of an execution carries it
    worker      the worker that holds the row; also while a paused or cancelled attempt has not let go yet
    run_after   not before this moment: QUEUED for later, or WAITING until then; NULL otherwise
    line        place in the queue among equal priorities, strictly increasing for each starting process
    recoveries  leases lost in a row without a new checkpoint
    failures    how often the workflow's own retry= put it back
    """

    id = IdField(primary_key=True)
    name = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    queue = models.CharField(max_length=255, default="default")
    priority = models.SmallIntegerField(default=0)
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
    reason = models.TextField(default="", blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    subject_type = models.ForeignKey(
        "contenttypes.ContentType", models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    subject_id = models.CharField(max_length=255, null=True, blank=True)
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
    schedule = models.CharField(max_length=255, default="", blank=True)

    worker = models.CharField(max_length=64, null=True, blank=True)
    attempt = models.IntegerField(default=0)
    recoveries = models.IntegerField(default=0)
    max_recoveries = models.IntegerField()
    failures = models.IntegerField(default=0)

    run_after = MomentField(null=True, blank=True)
    waiting_for = models.CharField(max_length=600, default="", blank=True)
    timeout_seconds = models.FloatField(null=True, blank=True)
    deadline = MomentField(null=True, blank=True)
    remaining_seconds = models.FloatField(null=True, blank=True)
    retention_seconds = models.IntegerField(null=True, blank=True)
    created_at = MomentField(db_default=Now())
    started_at = MomentField(null=True, blank=True)
    claimed_at = MomentField(null=True, blank=True)
    finished_at = MomentField(null=True, blank=True)

    objects = WorkflowQuerySet.as_manager()

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="durable_workflow_status"),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(worker__isnull=False), name="durable_workflow_running_has_worker"
            ),
            models.UniqueConstraint(
                fields=["queue", "deduplication_key"],
                condition=Q(deduplication_key__isnull=False),
                name="durable_workflow_dedup",
            ),
        ]
        # Every index but the last is partial, over live rows only: a million finished ones cost a claim nothing.
        indexes = [
            models.Index(
                "queue", models.F("priority").desc(), "line", condition=RUNNABLE, name="durable_workflow_runnable"
            ),
            models.Index(
                fields=["queue", "line"],
                condition=RUNNABLE & Q(recoveries__gte=SUSPECT_RECOVERIES),
                name="durable_workflow_suspect",
            ),
            models.Index(fields=["run_after"], condition=Q(run_after__isnull=False), name="durable_workflow_timer"),
            models.Index(fields=["name"], condition=Q(waiting_for="code"), name="durable_workflow_no_code"),
            models.Index(fields=["worker"], condition=Q(worker__isnull=False), name="durable_workflow_owned"),
            models.Index(
                fields=["deadline"],
                condition=Q(deadline__isnull=False, finished_at__isnull=True),
                name="durable_workflow_deadline",
            ),
            models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="durable_workflow_parent"),
            models.Index(fields=["forked_from"], condition=Q(forked_from__isnull=False), name="durable_workflow_fork"),
            models.Index(
                fields=["subject_type", "subject_id"],
                condition=Q(subject_id__isnull=False),
                name="durable_workflow_subject",
            ),
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

    # The verbs of an operator: see WorkflowQuerySet, which decides and explains.

    def cancel(self, reason: str = "") -> bool:
        """End it as CANCELLED; whether it was still live. See WorkflowQuerySet.cancel()."""
        return bool(self._alone().cancel(reason))

    def pause(self, reason: str = "") -> bool:
        """Stop it at its next step; whether it was live. See WorkflowQuerySet.pause()."""
        return bool(self._alone().pause(reason))

    def resume(self) -> bool:
        """Continue it from its last completed step; whether it had stopped. See WorkflowQuerySet.resume()."""
        return bool(self._alone().resume())

    def _alone(self) -> WorkflowQuerySet:
        return Workflow.objects.using(self._state.db).filter(pk=self.pk)

    # The verbs of the attempt that owns the row. Each is fenced, and says whether the fence held.

    def succeed(self, output: str | None) -> bool:
        """End it with a result, if this attempt still owns it."""
        return self._write(_SUCCEED, output=output)

    def fail(self, error: str) -> bool:
        """End it with an error, if this attempt still owns it."""
        return self._write(_FAIL, error=error)

    def suspend(self, delay_seconds: float | None, waiting_for: str) -> bool:
        """Let it wait, until a moment or for mail (None), if this attempt still owns it."""
        run_after = None if delay_seconds is None else Later(delay_seconds)
        return bool(
            self._owned().update(status=Status.WAITING, worker=None, run_after=run_after, waiting_for=waiting_for)
        )

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
        run_after = Later(delay_seconds) if delay_seconds else None
        return bool(self._owned().update(status=Status.QUEUED, worker=None, run_after=run_after, **columns))

    def step_back(self, least_seconds: float = 1.0) -> bool:
        """Release it because something failed under it: counts, and waits, as a lost lease does."""
        recoveries = self.recoveries + 1
        if recoveries > self.max_recoveries:
            self.recoveries = recoveries
            error = RecoveriesExhausted(workflow_id=self.pk, recoveries=recoveries)
            return self.exhaust(payloads.encode_error(error))
        return self.release(max(least_seconds, recovery_delay(recoveries)), recoveries=recoveries)

    def exhaust(self, error: str) -> bool:
        """End it because it lost its worker too often; the janitor calls this under the row's lock."""
        self._owned().update(recoveries=self.recoveries)
        return self.fail(error)

    def diverge(self, reason: str) -> bool:
        """Pause it, since the code does not fit its history, if this attempt still owns it."""
        return bool(self._owned().update(worker=None, **paused(reason)))

    def let_go(self) -> bool:
        """Clear the worker of a row that was taken out of RUNNING under this attempt."""
        mine = Workflow.objects.using(self._state.db).filter(pk=self.pk, attempt=self.attempt)
        return bool(mine.exclude(status=Status.RUNNING).update(worker=None))

    def lock_owned(self, *, is_running: bool = True, nowait: bool = False) -> bool:
        """
        Lock the row until the transaction ends; whether this attempt (still RUNNING, if asked) owns it.

        nowait  raise OperationalError (55P03) if somebody holds it, where the database can
        """
        rows = self._owned() if is_running else self._alone().filter(attempt=self.attempt)
        return rows.select_for_update(no_key=True, nowait=nowait).values_list("pk", flat=True).first() is not None

    def _owned(self) -> WorkflowQuerySet:
        return self._alone().filter(attempt=self.attempt, status=Status.RUNNING)

    def _write(self, statement: Statement, **values: Any) -> bool:
        alias = self._state.db or "default"
        return bool(statement.execute(alias, {"id": self.pk, "attempt": self.attempt, **values}))


_SLOTS = slots(Workflow, "id", "attempt", "output", "error")
_STARTED = (
    "id", "name", "queue", "priority", "line", "arguments", "fingerprint", "attributes", "started_by",
    "max_recoveries", "timeout_seconds", "application", "is_async", "version", "status", "attempt", "worker",
)  # fmt: skip


def _owned(alias: str) -> WorkflowQuerySet:
    rows = Workflow.objects.using(alias)
    return rows.filter(pk=_SLOTS["id"], attempt=_SLOTS["attempt"], status=Literal("running"))


def _finish(alias: str, status: str, **columns: Any) -> Any:
    ended = {"status": status, "worker": None, "finished_at": Now(), "deduplication_key": None, "waiting_for": ""}
    return update_query(_owned(alias), {**ended, **columns})


def _start(moments: dict[str, Any]) -> Statement:
    columns = {**slots(Workflow, *_STARTED), "created_at": Now(), **moments}
    return Statement(lambda _alias: insert_query(Workflow, columns, ignore_conflicts=True))


_SUCCEED = Statement(lambda alias: _finish(alias, Status.SUCCEEDED, output=_SLOTS["output"], error=None))
_FAIL = Statement(lambda alias: _finish(alias, Status.FAILED, error=_SLOTS["error"]))

#: INSERT ... ON CONFLICT DO NOTHING of one workflow: the row count says whether it is new. START_LATER takes the
#: moment itself, START_DELAYED seconds from the database's now, START_RUNNING a row already claimed by its starter.
START = _start({})
START_LATER = _start(slots(Workflow, "run_after"))
START_DELAYED = _start({"run_after": Later(Slot("delay_seconds", models.FloatField()))})
START_RUNNING = _start(
    {
        "started_at": Now(),
        "claimed_at": Now(),
        "deadline": Later(Slot("timeout_seconds", models.FloatField())),
    }
)
