"""Retries and timeouts of steps: counted and timed in the step's own row, so that a crash resets neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DatabaseError, IntegrityError, transaction

from durable_django import signals
from durable_django.base import payloads
from durable_django.base.interrupts import LeaseLost, Parked, Suspended
from durable_django.engine import checkpoints, faults
from durable_django.engine.calls import Call
from durable_django.engine.checkpoints import Entry, Refused, Taken
from durable_django.engine.faults import Fault
from durable_django.engine.waits import Answer, Wait
from durable_django.exceptions import BrokenTransaction, PayloadError, RetriesExhausted
from durable_django.models import awaited
from durable_django.models.step import Recorded, Step

#: A shorter pause between two retries may hold the thread; a longer one suspends the workflow.
LONGEST_NAP_SECONDS = 1.0


def delay_after(call: Call, error: Exception) -> float | None:
    """
    Return the seconds until the step is called again after this failure, or None if it was the last.

    A result that cannot be stored is not worth a retry, nor is a broken transaction: both would only repeat the effects
    of the body. Nor is a call whose task was cancelled: nobody waits for it any more.
    """
    if call.spec.retry is None or call.is_cancelled or isinstance(error, PayloadError | BrokenTransaction):
        return None
    return call.spec.retry.delay_after(call.retries + 1, error)


def final_error(call: Call, error: Exception) -> Exception:
    """Return what the caller of the step sees: RetriesExhausted if there were retries, else the error itself."""
    retry = call.spec.retry
    if retry is None or not retry.is_exhausted_by(call.retries + 1, error):
        return error
    last = payloads.describe_error(payloads.encode_error(error))
    final = RetriesExhausted(
        step=call.spec.name, attempts=call.retries + 1, last_error=f"{last.type.rpartition('.')[2]}: {last.message}"
    )
    final.__cause__ = error
    return final


def retry_later(call: Call, error: Exception, delay: float) -> None:
    """
    Keep the count and the next time. After a short pause the step is called again; a long one gives the thread back.

    Raises Suspended, in whose case the row and the suspension are one transaction, or another interrupt.
    """
    if call.is_timed_out:
        raise LeaseLost
    call.retries += 1
    is_long = delay > LONGEST_NAP_SECONDS

    def after() -> None:
        if is_long and call.run.is_alone:
            call.run.workflow.suspend(awaited.FOR_RETRY)

    _keep(call.entry(error=payloads.encode_error(error)), delay, after)
    call.is_retrying = True
    signals.step_retrying.send_robust(
        sender=call.run.workflow.name,
        workflow_id=call.run.workflow.pk,
        name=call.run.workflow.name,
        step=call.spec.name,
        position=call.place.position,
        attempt=call.retries,
        error=error,
        delay_seconds=delay,
    )
    if is_long:
        _give_thread_back(call)


def seconds_left(call: Call) -> float:
    """Return how long a step has still to wait that an earlier attempt left between two retries."""
    run = call.run
    rows = Step.objects.using(run.alias)
    return faults.until_answered(
        run.alias,
        run.owner,
        "read a retry",
        lambda: rows.seconds_until_retry(run.workflow.pk, *call.place),
    )


def wait(call: Call) -> None:
    """Give the thread back until the step's time has come. Raises Suspended, or what a refusal means."""
    if call.run.is_alone:
        _suspend(call)
    _give_thread_back(call)


def _suspend(call: Call) -> None:
    run = call.run
    if not faults.until_answered(run.alias, run.owner, "suspend", lambda: run.workflow.suspend(awaited.FOR_RETRY)):
        raise checkpoints.why_refused(run)


def _give_thread_back(call: Call) -> None:
    if call.run.is_alone:
        raise Suspended
    call.run.history[call.place] = Recorded(call.spec.name, call.spec.kind, None, None, call.retries, is_finished=False)
    raise Parked((RetryWait(call=call, run=call.run, place=call.place, name=call.spec.name, kind=call.spec.kind),))


@dataclass(eq=False, kw_only=True)
class RetryWait(Wait):
    """A branch whose step waits for its next retry."""

    call: Call
    until: float = 1
    awaited: str = awaited.FOR_RETRY
    is_begun: bool = field(default=True, init=False)

    def look(self) -> None:
        """Nothing but time is waited for."""

    def at_end(self) -> Answer:
        """Leave it to the step, which is called again."""
        raise NotImplementedError

    def entry(self, answer: Answer, *, is_begun: bool = False) -> Entry:  # noqa: ARG002 - it always is
        """Return the checkpoint of the step, with its count of calls."""
        return self.call.entry(output=answer.output, error=answer.error)


def time_out(call: Call) -> bool:
    """
    Record that a step takes too long and put its workflow back, from another thread than the late one's.

    Whether it came before the step's own outcome. The late thread's record is refused from then on.
    Raises DatabaseError or InterfaceError if the database does not answer, or somebody holds the row, for which the
    heartbeat must not wait: ask again, the call stays watched.
    """
    call.is_timed_out = True
    error = call.timeout()
    delay = delay_after(call, error)
    try:
        if delay is None:
            _give_up(call.entry(error=payloads.encode_error(final_error(call, error))))
        else:
            entry = call.entry(error=payloads.encode_error(error))
            entry.retries += 1
            _keep_once(entry, delay, lambda: call.run.workflow.release(delay), nowait=True)
    except (Refused, Taken):
        call.is_timed_out = False
        return False
    except DatabaseError as error:
        # Nothing was written, unless COMMIT got no answer: then the late thread must not record anything either.
        call.is_timed_out = faults.classify(error) is Fault.LOST
        raise
    if call.run.board is not None:
        # What else the run does need not wait for the late thread.
        call.run.board.end_soon(LeaseLost())
    return True


def _give_up(entry: Entry) -> None:
    """Record the error as the step's outcome and release the workflow, in one transaction."""
    with transaction.atomic(using=entry.run.alias):
        if not entry.run.workflow.lock_owned(nowait=True):
            raise Refused
        checkpoints.write(entry)
        entry.run.workflow.release()
    checkpoints.send_recorded(entry)


def _keep(entry: Entry, delay: float, after: Callable[[], object]) -> None:
    """Write the row of a retrying step and what follows from it, tried again while the database is away."""
    run = entry.run
    try:
        faults.until_answered(run.alias, run.owner, "keep a retry", lambda: _keep_once(entry, delay, after))
    except Refused:
        raise checkpoints.why_refused(run) from None


def _keep_once(entry: Entry, delay: float, after: Callable[[], object], *, nowait: bool = False) -> None:
    """Write both in one transaction. Raises Refused if the fence does not hold, Taken if the step has an outcome."""
    run = entry.run
    with transaction.atomic(using=run.alias):
        if not run.workflow.lock_owned(nowait=nowait):
            raise Refused
        try:
            Step.objects.using(run.alias).set_retrying(entry.values(), delay)
        except IntegrityError as error:
            raise Taken from error
        after()
