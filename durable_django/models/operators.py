"""The verbs of operators, on many workflows and on one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, cast

from django.db import models

from durable_django import signals
from durable_django.base import ids
from durable_django.base.given import moment_of, priority_of, validate_attributes
from durable_django.models import editing, forking, purging, resuming, retention, stops, trees, verbs
from durable_django.models.forking import Fork
from durable_django.models.status import Status
from durable_django.models.verbs import recorded

if TYPE_CHECKING:
    from durable_django.models.workflow import Workflow  # noqa: F401 - named by a base class
    from durable_django.models.workflow_queryset import WorkflowQuerySet


class OperatorVerbs(models.QuerySet["Workflow"]):
    """What operators do with many workflows, batch by batch; each verb decides in the database."""

    @recorded("cancel", is_atomic=False)
    def cancel(self, reason: str = "", *, children: bool = True) -> int:
        """
        End live workflows as CANCELLED, then what they have started. Return how many lived.

        children  False: what they have started goes on

        One that is running finishes the step it is in, which is still recorded if it is a plain one; an atomic step
        commits whole or not at all; a plain async one is interrupted, and not recorded. No further step starts. Asked
        again, it also ends what those have started that were cancelled before.
        """
        # What follows the end of these may be among those that the queryset asks for next.
        followed: set[str] = set()

        def change(rows: WorkflowQuerySet) -> int:
            return stops.cancel(rows, reason, followed)

        if children:
            return self._tell_stopped(trees.cancel(self._rows(), change, followed))
        return self._tell_stopped(self._rows().change(Status.live(), change, followed))

    @recorded("pause", is_atomic=False)
    def pause(self, reason: str = "") -> int:
        """
        Stop live workflows at their next step, until resume(). Return how many were not paused yet.

        The deadline stands still meanwhile: what was left of it counts on from resume(). Children go on.
        """
        moving = (Status.QUEUED, Status.WAITING, Status.RUNNING)
        return self._tell_stopped(self._rows().change(moving, lambda rows: rows.update(**stops.paused(reason))))

    @recorded("resume", is_atomic=False)
    def resume(self, *, children: bool = False) -> int:
        """
        Continue PAUSED, FAILED and CANCELLED workflows from their last completed step. Return how many.

        children  first those of their children that failed or were cancelled, and whose error they have not gone on
                  from, and the children of those

        Errors at the very end of a history are dropped, so that the step that failed runs again; recoveries, retries
        and the own timeout of one that had ended start anew. An attempt that has not let go yet is waited for. What was
        pruned stays as it is.
        """
        count = resuming.resume_children(self._rows()) if children else 0
        count += self._rows().change((Status.FAILED, Status.CANCELLED), resuming.reopen)
        count += self._rows().change((Status.PAUSED,), resuming.go_on)
        if count:
            signals.workflows_resumed.send_robust(sender=None, alias=self.db, count=count)
        return count

    @recorded("fork", is_atomic=False)
    def fork(
        self,
        *,
        from_step: int | str | None = None,
        from_failure: bool = False,
        args: Any = None,
        queue: str | None = None,
        version: str | None = None,
    ) -> int:
        """
        Make a new workflow out of each, that shares what it has recorded up to a place. Return how many were made.

        from_step     position, place or name of a step: what comes before it is shared; by default nothing is
        from_failure  instead, of those that FAILED: all but the errors at the end of the history is shared
        args          other arguments, the same for each: a tuple of positional ones, a dict, or what call() returns
        queue         another declared queue
        version       another version

        Each is forked once: asked again for the same, nothing is made, until it has been resumed and has stopped
        again. What is purged or resumed meanwhile is left out. Raises as Workflow.fork() does; what was made before
        that stays.
        """
        return len(self.forked(from_step=from_step, from_failure=from_failure, args=args, queue=queue, version=version))

    @recorded("fork", is_atomic=False)
    def forked(self, **options: Any) -> dict[str, str]:
        """
        Fork them as fork() does. Return the ids of the new forks, by those of their origins.

        options  those of fork(), and replacement_children as Workflow.fork() takes it
        """
        made = forking.fork_many(self._rows(), Fork(**options))
        if made:
            signals.workflows_forked.send_robust(sender=None, alias=self.db, count=len(made))
        return made

    @recorded("purge", is_atomic=False)
    def purge(self, *, children: bool = False, payloads_only: bool = False) -> int:
        """
        Remove what has ended with all that it owns: steps, events, streams, messages. Return how many workflows.

        children       also what these have started, and so on, as far as it has ended
        payloads_only  leave the bare row, by which the id starts nothing again; where children stay, it always stays

        Live ones stay, and ended ones whose last attempt has not let go yet. In bounded transactions: interrupted, it
        goes on when it is asked again. Who asks for a result later gets WorkflowNotFound, or WorkflowPruned.
        """
        return purging.purge(self._rows(), children=children, payloads_only=payloads_only)

    @recorded("set_attributes", is_atomic=False)
    def set_attributes(self, attributes: Mapping[str, Any] | None = None, /, **more: Any) -> int:
        """
        Set some attributes, as dict.update() does; others stay. Return how many workflows have them now.

        Raises NotSerializable, PayloadTooLarge. A running attempt may have read them before.
        """
        return editing.set_attributes(self._rows(), validate_attributes({**(attributes or {}), **more}))

    @recorded("set_priority", is_atomic=False)
    def set_priority(self, priority: int) -> int:
        """Give live workflows another priority, from -100 to 100, larger first. Return how many. Raises ValueError."""
        chosen = priority_of(priority)
        return self._rows().change(Status.live(), lambda rows: rows.update(priority=chosen))

    @recorded("reschedule", is_atomic=False)
    def reschedule(self, *, run_after: datetime | None = None) -> int:
        """
        Let workflows that wait in their queue, sleep, or wait for a retry go on at another moment. Return how many.

        run_after  aware moment; None: now

        A sleep ends then, a retry is made then. Who waits for messages, events or ends is left alone, and so is what
        is paused or runs. Raises TypeError or ValueError for what is no moment.
        """
        moment = None if run_after is None else moment_of(run_after, "run_after")
        timed = (Status.QUEUED, Status.WAITING)
        count = self._rows().change(timed, lambda rows: editing.reschedule(rows, moment))
        if count:
            signals.workflows_woken.send_robust(sender=None, alias=self.db, count=count)
        return count

    def _tell_stopped(self, count: int) -> int:
        """Let workers know that rows were taken out of RUNNING."""
        if count:
            signals.workflows_stopped.send_robust(sender=None, alias=self.db, count=count)
        return count

    def _rows(self) -> WorkflowQuerySet:
        return cast("WorkflowQuerySet", self)


class OperatorRowVerbs:
    """What operators do with one workflow."""

    if TYPE_CHECKING:
        pk: Any
        _state: Any

    @recorded("cancel", is_atomic=False)
    def cancel(self, reason: str = "", *, children: bool = True) -> bool:
        """End it as CANCELLED, then what it has started; whether it was still live. See OperatorVerbs.cancel()."""
        was_live = bool(self._alone().cancel(reason, children=False))
        if children:
            self._alone().cancel(reason)
        return was_live

    @recorded("pause", is_atomic=False)
    def pause(self, reason: str = "") -> bool:
        """Stop it at its next step; whether it was live. See OperatorVerbs.pause()."""
        return bool(self._alone().pause(reason))

    @recorded("resume", is_atomic=False)
    def resume(self, *, children: bool = False) -> bool:
        """
        Continue it from its last completed step; whether it had stopped. See OperatorVerbs.resume().

        children  first those of its children that failed or were cancelled, and whose error it has not gone on from

        Raises WorkflowPruned if it ended so long ago that its steps are gone.
        """
        if children:
            resuming.resume_children(self._alone())
        had_stopped = bool(self._alone().resume())
        if not had_stopped:
            retention.require_whole(self._alone())
        return had_stopped

    def fork(  # noqa: PLR0913 - one keyword per option
        self,
        *,
        from_step: int | str | None = None,
        from_failure: bool = False,
        id: str | None = None,  # noqa: A002 - the word that API and column use
        args: Any = None,
        queue: str | None = None,
        version: str | None = None,
        replacement_children: Mapping[Any, Any] | None = None,
    ) -> Self:
        """
        Make a new workflow that shares what this one has recorded before a step. Return its row.

        from_step             its position; its place, such as "3.2.1" in a branch of a gather(); or its name, if that
                              occurs once. By default nothing is shared
        from_failure          instead: all is shared but the errors at the very end, as resume() would go on
        id                    the idempotency key of the fork: a second call returns the first one's
        args                  other arguments: a tuple of positional ones, a dict, or what call() returns
        queue, version        others than those of this one
        replacement_children  ids of children that this one has started, and of workflows whose results to read instead

        Shared are outcomes of steps, events with their value as of there, and entries of streams. The fork has the same
        arguments, attributes, subject, user, queue, priority, partition key and timeout, but neither deduplication key,
        deadline, parent, schedule nor messages. It reads the results of the children that it shares, and never cancels
        them. This one may be in any state, and goes on undisturbed: what it records behind the step, or while the
        fork is made, is not shared.

        One transaction. Raises ValueError for a step that is not there or a name that occurs several times,
        WorkflowNotFound, WorkflowPruned, also for what replaces a child, WorkflowConflict if the id is taken by
        something else, UnknownQueue, and what start() raises for arguments.
        """
        wanted = Fork(
            from_step=from_step,
            from_failure=from_failure,
            args=args,
            queue=queue,
            version=version,
            replacement_children=replacement_children or {},
        )
        chosen_id = None if id is None else ids.validate_id(id)
        new_id = self._fork(wanted, chosen_id)
        kind: Any = type(self)
        if verbs.is_in_body():
            # What the row says is not recorded: it is read when the code asks for it.
            return cast("Self", kind.from_db(self._state.db, ["id"], [new_id]))
        return cast("Self", kind._default_manager.using(self._state.db).get(pk=new_id))

    @recorded("fork")
    def _fork(self, wanted: Fork, chosen_id: str | None) -> str:
        rows = _all(self._alone())
        new_id = chosen_id or verbs.new_id("fork", self.pk, wanted.digest())
        if forking.fork(rows, self.pk, new_id, wanted):
            signals.workflows_forked.send_robust(sender=None, alias=rows.db, count=1)
        return new_id

    @recorded("purge", is_atomic=False)
    def purge(self, *, children: bool = False, payloads_only: bool = False) -> bool:
        """Remove it with all that it owns; whether that is done: not if it lives. See OperatorVerbs.purge()."""
        self._alone().purge(children=children, payloads_only=payloads_only)
        return not self._alone().filter(pruned_at__isnull=True).exists()

    @recorded("set_attributes", is_atomic=False)
    def set_attributes(self, attributes: Mapping[str, Any] | None = None, /, **more: Any) -> bool:
        """Set some of its attributes; whether it was there, and not pruned. See OperatorVerbs.set_attributes()."""
        return bool(self._alone().set_attributes(attributes, **more))

    @recorded("set_priority", is_atomic=False)
    def set_priority(self, priority: int) -> bool:
        """Give it another priority; whether it was live. See OperatorVerbs.set_priority()."""
        return bool(self._alone().set_priority(priority))

    @recorded("reschedule", is_atomic=False)
    def reschedule(self, *, run_after: datetime | None = None) -> bool:
        """Let it go on at another moment, or now; whether it waited for time. See OperatorVerbs.reschedule()."""
        return bool(self._alone().reschedule(run_after=run_after))

    def _alone(self) -> WorkflowQuerySet:
        """Return a queryset of this row alone."""
        kind: Any = type(self)
        return cast("WorkflowQuerySet", kind._default_manager.using(self._state.db).filter(pk=self.pk))


def _all(rows: WorkflowQuerySet) -> WorkflowQuerySet:
    return rows.model._default_manager.using(rows.db)
