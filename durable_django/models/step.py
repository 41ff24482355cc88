"""Step: the checkpoint of one step, and the hot INSERT that records it only while the fence holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from durable_django.base.clock import Later, MomentField, Now, SecondsUntil
from durable_django.models.compiled import Slot, Statement, insert_query, slots, update_query
from durable_django.models.fields import Literal


class Recorded(NamedTuple):
    """What a Step row says at replay; `is_finished` is False while it is between two retries."""

    name: str
    kind: str
    output: str | None
    error: str | None
    retries: int
    is_finished: bool


class StepQuerySet(models.QuerySet["Step"]):
    """Checkpoints, and the statements that write them."""

    def recorded(self, workflow_id: str) -> dict[tuple[str, int], Recorded]:
        """Return the whole history of a workflow by (branch, position): one query, index durable_step_key."""
        rows = self.filter(workflow_id=workflow_id).values_list(
            "branch", "position", "name", "kind", "output", "error", "retries", "finished_at"
        )
        return {
            (branch, position): Recorded(name, kind, output, error, retries, finished_at is not None)
            for branch, position, name, kind, output, error, retries, finished_at in rows
        }

    def recorded_at(self, workflow_id: str, branch: str, position: int) -> Recorded | None:
        """Return one checkpoint, or None."""
        return self.filter(branch=branch, position=position).recorded(workflow_id).get((branch, position))

    def insert(self, values: dict[str, Any], *, is_running: bool = True) -> None:
        """
        Write one checkpoint, if the attempt still owns the workflow.

        The INSERT takes the workflow's id from a subquery that finds it only while the fence holds: attempt is mine
        and, if is_running, the status RUNNING. Otherwise the id is NULL and the column refuses it.
        Raises IntegrityError if the fence fails or the position is taken; faults.py tells which.
        """
        statement = _INSERT if is_running else _INSERT_AFTER_TAKEN_OUT
        statement.execute(self.db, values)

    def insert_many(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write many checkpoints, as insert() does, in the caller's transaction."""
        _INSERT.execute_many(self.db, rows)

    def finish_retrying(self, values: dict[str, Any]) -> bool:
        """
        Write the outcome into the row of a step that was retried; whether it was still unfinished.

        Call it under the lock of the workflow's row, which carries the fence.
        """
        return bool(_FINISH.execute(self.db, values))

    def set_retrying(self, values: dict[str, Any], delay_seconds: float) -> None:
        """Keep the count and the next time of a failed step. Call it under the lock of the workflow's row."""
        changes = {
            "error": values["error"],
            "attempt": values["attempt"],
            "retries": values["retries"],
            "next_retry_at": Later(delay_seconds),
        }
        if not self.at(values).update(**changes):
            key = {name: values[name] for name in ("workflow_id", "branch", "position", "name", "kind")}
            self.create(started_at=Later(values["began"]), **key, **changes)

    def at(self, values: dict[str, Any]) -> Self:
        """Return the unfinished one at a place (index durable_step_key)."""
        return self.filter(
            workflow_id=values["workflow_id"],
            branch=values["branch"],
            position=values["position"],
            finished_at__isnull=True,
        )

    def begin_waiting(self, values: dict[str, Any], until: float | datetime | None) -> None:
        """
        Insert the row of a call that waits. Call it under the workflow's lock.

        until  seconds from now, or the moment, at which it stops waiting; None: never
        """
        if isinstance(until, datetime):
            key = {name: values[name] for name in _WAITING}
            self.create(started_at=Now(), next_retry_at=until, **key)
        else:
            _BEGIN.execute(self.db, {**values, "seconds": until})

    def note_waiting(self, values: dict[str, Any]) -> None:
        """Keep as its output, until it has one, what a call that waits has noted. Call it under the workflow's lock."""
        self.at(values).update(output=values["output"])

    def postpone(self, moment: Any) -> None:
        """Let calls that wait go on at another moment, earlier or later. Call it under the workflows' locks."""
        self.update(next_retry_at=moment)

    def next_moments(self, workflow_id: Any, places: Collection[tuple[str, int]] = ()) -> models.QuerySet[Any, Any]:
        """
        Return the moment at which the first of a workflow's unfinished steps goes on (index durable_step_key).

        places  where those stand that are waited for; others that were left unfinished do not count. Empty: all
        """
        rows = self.filter(workflow_id=workflow_id, finished_at__isnull=True, next_retry_at__isnull=False)
        if places:
            branches, positions = zip(*places, strict=True)
            rows = rows.filter(branch__in=set(branches), position__in=set(positions))
        return rows.order_by("next_retry_at").values("next_retry_at")[:1]

    def is_over(self, workflow_id: str, branch: str, position: int) -> bool:
        """Whether a call that began to wait has its outcome, or its moment has come by the database's clock."""
        row = self.filter(workflow_id=workflow_id, branch=branch, position=position, finished_at__isnull=True)
        left = list(row.values_list(SecondsUntil("next_retry_at"), flat=True))
        return not left or (left[0] is not None and left[0] <= 0)

    def seconds_until_retry(self, workflow_id: str, branch: str, position: int) -> float:
        """Return how long a retrying step has still to wait, by the database's clock; at most 0 when it is due."""
        row = self.filter(workflow_id=workflow_id, branch=branch, position=position, next_retry_at__isnull=False)
        left = row.values_list(SecondsUntil("next_retry_at"), flat=True).first()
        return float(left or 0)

    def forget_failures(self, workflow_ids: list[str]) -> None:
        """
        Remove the errors at the very end of each history, and unfinished retries: they are run again.

        A call that waits stays: it goes on waiting for what it waited for, until the moment that is recorded. What
        comes before it stays too: the code went on from there.
        """
        self.filter(pk__in=self.failures_at_the_end(workflow_ids)).delete()

    def failures_at_the_end(self, workflow_ids: list[str]) -> list[int]:
        """Return the keys of the errors at the very end of each history, from which no code has gone on."""
        good = Step.objects.using(self.db).filter(
            workflow_id=models.OuterRef("workflow_id"), branch=models.OuterRef("branch"), error__isnull=True
        )
        last_good = good.order_by("-position").values("position")[:1]
        tail = self.filter(workflow_id__in=workflow_ids, error__isnull=False).filter(
            position__gt=Coalesce(models.Subquery(last_good), 0)
        )
        found = list(tail.values_list("pk", "workflow_id", "branch"))
        last = self._last_good(workflow_ids) if any(branch for _pk, _workflow_id, branch in found) else {}
        return [pk for pk, workflow_id, branch in found if not _was_gone_on_from(branch, last.get(workflow_id, {}))]

    def _last_good(self, workflow_ids: list[str]) -> dict[str, dict[str, int]]:
        """Return the last position without an error of each branch, by workflow."""
        rows = self.filter(workflow_id__in=workflow_ids, error__isnull=True).values_list("workflow_id", "branch")
        last: dict[str, dict[str, int]] = {}
        for workflow_id, branch, position in rows.annotate(models.Max("position")).order_by():
            last.setdefault(workflow_id, {})[branch] = position
        return last


class Step(models.Model):
    """
    One step of one workflow.

    output  of a call that still waits: what it has noted for its next look

    The workflow's foreign key carries neither a constraint nor an index of its own: the fence in the INSERT proves
    that the workflow exists, and durable_step_key begins with it.
    """

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey("Workflow", models.CASCADE, related_name="steps", db_index=False, db_constraint=False)
    branch = models.CharField(max_length=64, default="", blank=True)
    position = models.IntegerField()
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, default="step")
    output = models.TextField(null=True, blank=True)
    error = models.TextField(null=True, blank=True)
    attempt = models.IntegerField()
    retries = models.IntegerField(default=0)
    next_retry_at = MomentField(null=True, blank=True)
    started_at = MomentField(null=True, blank=True)
    finished_at = MomentField(null=True, blank=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        constraints = [
            models.UniqueConstraint(fields=["workflow", "branch", "position"], name="durable_step_key"),
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.name}"

    @property
    def place(self) -> str:
        """Where it stands: its position, behind that of its branch if it is not on the main line."""
        return f"{self.branch}.{self.position}" if self.branch else str(self.position)

    @property
    def state(self) -> str:
        """One of done, failed, retrying and waiting."""
        return state_of(is_finished=self.finished_at is not None, has_error=self.error is not None)


def state_of(*, is_finished: bool, has_error: bool) -> str:
    """Return how people call the state of a step."""
    if is_finished:
        return "failed" if has_error else "done"
    return "retrying" if has_error else "waiting"


COLUMNS = ("branch", "position", "name", "kind", "output", "error", "attempt", "retries")


def _was_gone_on_from(branch: str, last: dict[str, int]) -> bool:
    """
    Whether a line of calls that a branch belongs to has gone on behind the gather(): it caught what failed there.

    branch  3.2.4.1: of the first branch of the gather() at position 4 of 3.2, the second one of that at position 3
    """
    parts = branch.split(".") if branch else []
    places = ((".".join(parts[:end]), int(parts[end])) for end in range(0, len(parts), 2))
    return any(last.get(line, 0) > position for line, position in places)


def _insert(alias: str, *, is_running: bool) -> Any:
    workflow = Step._meta.get_field("workflow").related_model
    fence: dict[str, Any] = slots(workflow, "attempt")
    if is_running:
        fence["status"] = Literal("running")
    owned = workflow._base_manager.using(alias).filter(pk=Slot("workflow_id", workflow._meta.pk), **fence)
    columns = {
        **slots(Step, *COLUMNS),
        "workflow_id": models.Subquery(owned.values("pk")),
        "started_at": Later(Slot("began", models.FloatField())),
        "finished_at": Now(),
    }
    return insert_query(Step, columns)


_INSERT = Statement(lambda alias: _insert(alias, is_running=True))
_INSERT_AFTER_TAKEN_OUT = Statement(lambda alias: _insert(alias, is_running=False))

_WAITING = ("workflow_id", "branch", "position", "name", "kind", "attempt", "output")
_BEGIN = Statement(
    lambda _alias: insert_query(
        Step,
        {
            **slots(Step, *_WAITING),
            "retries": 0,
            "started_at": Now(),
            "next_retry_at": Later(Slot("seconds", models.FloatField())),
        },
    )
)
_OUTCOME = ("output", "error", "attempt", "retries")
_FINISH = Statement(
    lambda alias: update_query(
        Step.objects.using(alias).at(slots(Step, "workflow_id", "branch", "position")),
        {**slots(Step, *_OUTCOME), "next_retry_at": None, "finished_at": Now()},
    )
)
