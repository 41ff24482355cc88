"""
Atomic steps: the body and its checkpoint commit in one transaction, the checkpoint last.

Whatever the body does to its transaction, the outcome is one of two: both are committed, or neither.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

from django.db import DatabaseError, Error, InterfaceError, connections, transaction

from durable_django import signals
from durable_django.base import clock, payloads
from durable_django.base.interrupts import EngineFailed, Interrupt
from durable_django.engine import checkpoints, faults, transactions
from durable_django.engine.calls import Call
from durable_django.engine.checkpoints import Refused, Taken
from durable_django.engine.faults import Fault
from durable_django.exceptions import BrokenTransaction
from durable_django.models.step import Recorded, Step
from durable_django.models.worker import Worker

#: How often the database may choose a body as its victim before that is the step's own error.
MOST_RERUNS = 10
_BROKEN_CONSTRAINT = {Fault.CONSTRAINT, Fault.TAKEN, Fault.REFUSED}
_COMMENTS = r"(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*"
_ENDS_TRANSACTION = re.compile(
    _COMMENTS + r"(COMMIT|END|ABORT|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b)"
    r"|PREPARE\s+TRANSACTION|BEGIN|START\s+TRANSACTION)\b",
    re.IGNORECASE,
)


class Failed(Exception):
    """The body, or the commit, ended with an error that is the step's own; nothing is recorded yet."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Unverified(Exception):
    """COMMIT failed, or a hook behind it, with an error of any kind: only the checkpoint itself can tell which."""


class EngineTrouble(Exception):
    """The engine's own statement failed inside the transaction; its cause says how."""


class Guard:
    """
    Watches the statements of an atomic body.

    It refuses those that would end the transaction, and notices errors at the level of the body's own transaction:
    PostgreSQL would abort it, SQLite would carry on, and both must end the same.
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self.connection = connections[call.run.alias]
        self.fault: BrokenTransaction | None = None
        self.savepoint = transaction.savepoint(using=call.run.alias)
        self.depth = len(self.connection.savepoint_ids)
        self.blocks = len(self.connection.atomic_blocks)

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        if isinstance(sql, str) and (ending := _ENDS_TRANSACTION.match(sql)):
            self.fault = self._broken(f"ran {ending[1].upper()} by hand", "Let the step end its transaction.")
            raise self.fault
        try:
            return execute(sql, params, many, context)
        except DatabaseError as error:
            if len(self.connection.savepoint_ids) == self.depth and not faults.is_passing(error):
                self.fault = self._swallowed(error)
            raise

    def verify(self) -> None:
        """
        Raise BrokenTransaction unless the body's transaction is the one it was given, whole and alive.

        The savepoint from before the body is gone if the body committed behind Django's back.
        """
        self.require_whole()
        if self.connection.needs_rollback:
            raise self._broken(
                "swallowed a database error or called set_rollback(True)",
                "Put the statement that may fail into a block of its own: with transaction.atomic().",
            )
        try:
            transaction.savepoint_commit(self.savepoint, using=self.call.run.alias)
        except Error as error:
            if faults.is_passing(error):
                raise
            raise self._broken("ended its transaction by hand", "Let the step end its transaction.") from error

    def require_whole(self) -> None:
        """Raise BrokenTransaction if the body, however it ended, left a block open or ended its transaction."""
        if transactions.unwind(self.connection, self.blocks, self.depth):
            self.connection.needs_rollback = True
            raise self._broken("left a block of transaction.atomic() open", "Use it in a with statement.")
        if self.fault is not None:
            raise self.fault
        if transactions.is_ended_by_hand(self.connection):
            raise self._broken("ended its transaction by hand", "Let the step end its transaction.")

    def _swallowed(self, error: Exception) -> BrokenTransaction:
        broken = self._broken(
            f"swallowed a database error ({error})".replace("\n", " "),
            "Put the statement that may fail into a block of its own: with transaction.atomic().",
        )
        broken.__cause__ = error
        return broken

    def _broken(self, what: str, advice: str) -> BrokenTransaction:
        return BrokenTransaction(kind="Atomic step", step=self.call.spec.name, what=what, advice=advice)


def run_atomic(call: Call) -> Any:
    """
    Run the body and commit it with its checkpoint. Return the value.

    Run again, with jitter, when the database rolled it back as a victim or the connection broke before COMMIT.
    Raises Failed with the step's own error, or an Interrupt.
    """
    if call.run.board is None:
        return _run(call)
    # Of an async run, this thread belongs to the step only.
    with call.run.owner.sessions.open(call.run.alias):
        return _run(call)


def _run(call: Call) -> Any:
    reruns = 0
    while True:
        call.run.guard(call.run.owner.require_lease)
        try:
            return _once(call)
        except Unverified as trouble:
            found = call.run.guard(_find, call)
            error: BaseException = trouble.__cause__ or trouble
            if found is not None:
                _send_hook_failed(call, error)
                checkpoints.send_recorded(call.entry(output=found.output, error=found.error))
                return _answer(call, found)
            if isinstance(error, Exception) and faults.classify(error) in _BROKEN_CONSTRAINT:
                raise Failed(error) from error
        except Taken:
            return _answer(call, call.run.guard(checkpoints.adopt_when_answered, call.entry()))
        except EngineTrouble as trouble:
            call.run.guard(_wait_out, call, trouble.__cause__ or trouble)
            continue
        except Refused:
            call.run.guard(_explain_refusal, call)
            continue
        except (DatabaseError, InterfaceError) as passing:
            error = passing
        reruns += 1
        if reruns > MOST_RERUNS:
            raise Failed(error if isinstance(error, Exception) else RuntimeError(str(error))) from error
        rerun_later(call, error, reruns)


def _answer(call: Call, found: Recorded) -> Any:
    """Answer from a checkpoint that got there first, unless this thread is too late to go on with anything."""
    call.run.guard(call.require_in_time)
    return checkpoints.answer(found, call.run)


def _wait_out(call: Call, error: BaseException) -> None:
    """Wait before the transaction is run again for the engine's sake: as often as the lease stands, uncounted."""
    if faults.classify(error) in {Fault.PERMANENT, *_BROKEN_CONSTRAINT}:
        raise EngineFailed(error) from error
    rerun_later(call, error, 1)


def _send_hook_failed(call: Call, error: BaseException | None) -> None:
    """Tell of an error that came after the commit, from a hook: the step stands, the hook's work does not."""
    if error is not None and faults.classify(error) is not Fault.LOST:
        signals.step_hook_failed.send_robust(
            sender=call.run.workflow.name,
            workflow_id=call.run.workflow.pk,
            name=call.run.workflow.name,
            step=call.spec.name,
            position=call.place.position,
            attempt=call.retries + 1,
            error=error,
        )


def _once(call: Call) -> Any:
    """Run the transaction once. Let out only what run_atomic() decides on."""
    alias, owner = call.run.alias, call.run.owner
    is_complete = False
    try:
        with ExitStack() as held:
            with transaction.atomic(using=alias, durable=True):
                _hold_lease(call, held)
                value = _body(call)
                text, value = _encode(call, value)
                entry = call.entry(output=text)
                extended_at = _write(call, entry)
                is_complete = True
            if extended_at is not None:
                owner.extend_from(extended_at)
    except (Error, Refused, Taken, Failed, EngineTrouble) as error:
        if is_complete:
            raise Unverified from error
        raise
    except (Interrupt, KeyboardInterrupt):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_complete:
            raise
        # The commit stands or falls without the receivers of on_commit(); one of them raised this, by sys.exit() too.
        raise Unverified from error
    checkpoints.send_recorded(entry)
    call.run.guard(call.require_in_time)
    return value


def _body(call: Call) -> Any:
    try:
        return call.body() if call.spec.is_own else _guarded(call)
    except Exception as error:
        if faults.is_passing(error):
            raise
        raise Failed(error) from error


def _guarded(call: Call) -> Any:
    """Call code of the user's, which may do anything to its transaction."""
    guard = Guard(call)
    with connections[call.run.alias].execute_wrapper(guard):
        value = _call_whole(call, guard)
    guard.verify()
    return value


def _call_whole(call: Call, guard: Guard) -> Any:
    """Call the body. An error of it gives way to the one that its transaction is no longer whole."""
    try:
        return call.body()
    except Exception:
        guard.require_whole()
        raise
    except BaseException:
        transactions.unwind(guard.connection, guard.blocks, guard.depth)
        raise


def _encode(call: Call, value: Any) -> tuple[str, Any]:
    try:
        return payloads.round_trip(value, path=f"the result of step {call.spec.name!r}")
    except Exception as error:
        if faults.is_passing(error):
            raise
        raise Failed(error) from error


def _hold_lease(call: Call, held: ExitStack) -> None:
    """On SQLite keep the lease from here until after the commit; while BEGIN waited, others may have taken over."""
    if connections[call.run.alias].vendor == "sqlite":
        call.run.guard(call.run.owner.require_lease)
        held.enter_context(call.run.owner.hold())


def _write(call: Call, entry: checkpoints.Entry) -> float | None:
    """Write the checkpoint, the engine's own part of the transaction: its trouble is not the step's error."""
    try:
        extended_at = _extend_held_lease(call)
        checkpoints.write(entry)
    except DatabaseError as error:
        raise EngineTrouble from error
    return extended_at


def _extend_held_lease(call: Call) -> float | None:
    """
    Extend the lease as a write of this transaction, on SQLite, where no heartbeat could be written meanwhile.

    Return from when it counts once the transaction is committed, or None if there was no need.
    """
    owner, asked_at = call.run.owner, clock.elapsed_seconds()
    if connections[call.run.alias].vendor != "sqlite" or call.seconds <= owner.lease_seconds / 10:
        return None
    Worker.objects.using(call.run.alias).extend_held(owner.worker_id, owner.lease_seconds)
    return asked_at


def rerun_later(call: Call, error: BaseException, reruns: int) -> None:
    """
    Pause before a body that the database made fail is run again, longer each time, and wait until it takes writes.

    So only reruns with a working database count: one that is away for a minute makes no step fail.
    """
    signals.step_rerun.send_robust(
        sender=call.run.workflow.name,
        workflow_id=call.run.workflow.pk,
        name=call.run.workflow.name,
        step=call.spec.name,
        position=call.place.position,
        attempt=call.retries + 1,
        error=error,
    )
    alias, owner = call.run.alias, call.run.owner
    call.run.guard(faults.back_off, alias, owner, f"run step {call.spec.name}", error, reruns)
    call.run.guard(faults.wait_until_writable, alias, owner)


def _find(call: Call) -> Recorded | None:
    rows = Step.objects.using(call.run.alias)
    found = faults.until_answered(
        call.run.alias,
        call.run.owner,
        "look for a checkpoint",
        lambda: rows.recorded_at(call.run.workflow.pk, *call.place),
    )
    return found if found is not None and found.is_finished else None


def _explain_refusal(call: Call) -> None:
    """
    Raise why the fence did not hold. Return if it holds again, once.

    A crash of the database's server may have undone the claim, and this process has made it again meanwhile
    (models/tuning.py). If the fence breaks again, it is the body that breaks it in its transaction.
    """
    run = call.run
    why = faults.until_answered(run.alias, run.owner, "look at the workflow", lambda: checkpoints.look(run))
    if why is not None:
        raise why
    if call.was_refused:
        what, advice = "changed its own workflow", "Do that in a step that is not atomic."
        raise Failed(BrokenTransaction(kind="Atomic step", step=call.spec.name, what=what, advice=advice))
    call.was_refused = True
