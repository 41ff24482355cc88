"""
Atomic steps: the body and its checkpoint commit in one transaction, the checkpoint last.

Whatever the body does to its transaction, the outcome is one of two: both are committed, or neither.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import DatabaseError, Error, InterfaceError, connections, transaction

from durable_django import signals
from durable_django.base import clock, payloads
from durable_django.engine import checkpoints, faults
from durable_django.engine.calls import Call
from durable_django.engine.checkpoints import Refused, Taken
from durable_django.engine.faults import Fault
from durable_django.exceptions import BrokenTransaction
from durable_django.models.step import Recorded, Step
from durable_django.models.turns import turn
from durable_django.models.worker import Worker

#: How often the database may choose a body as its victim before that is the step's own error.
MOST_RERUNS = 10
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
    """COMMIT got no verdict: only the checkpoint itself can tell."""


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
        if self.fault is not None:
            raise self.fault
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

    def _swallowed(self, error: Exception) -> BrokenTransaction:
        broken = self._broken(
            f"swallowed a database error ({error})".replace("\n", " "),
            "Put the statement that may fail into a block of its own: with transaction.atomic().",
        )
        broken.__cause__ = error
        return broken

    def _broken(self, what: str, advice: str) -> BrokenTransaction:
        return BrokenTransaction(step=self.call.spec.name, what=what, advice=advice)


def run_atomic(call: Call) -> Any:
    """
    Run the body and commit it with its checkpoint. Return the value.

    Run again, with jitter, when the database rolled it back as a victim or the connection broke before COMMIT.
    Raises Failed with the step's own error, or an Interrupt.
    """
    reruns = 0
    while True:
        call.run.guard(call.run.owner.require_lease)
        try:
            return _once(call)
        except Unverified as trouble:
            found = call.run.guard(_find, call)
            if found is not None:
                _send_hook_failed(call, trouble.__cause__)
                checkpoints.send_recorded(call.entry(output=found.output, error=found.error))
                return checkpoints.answer(found, call.run)
            error: BaseException = trouble.__cause__ or trouble
        except Taken:
            found = call.run.guard(checkpoints.adopt_when_answered, call.entry())
            return checkpoints.answer(found, call.run)
        except Refused:
            call.run.guard(_explain_refusal, call)
        except (DatabaseError, InterfaceError) as passing:
            error = passing
        reruns += 1
        if reruns > MOST_RERUNS:
            raise Failed(error if isinstance(error, Exception) else RuntimeError(str(error))) from error
        rerun_later(call, error, reruns)


def _send_hook_failed(call: Call, error: BaseException | None) -> None:
    """Tell of an error that came after the commit, from a hook: the step stands, the hook's work does not."""
    if error is not None and not isinstance(error, Error):
        signals.step_hook_failed.send_robust(
            sender=call.run.workflow.name,
            workflow_id=call.run.workflow.pk,
            step=call.spec.name,
            position=call.position,
            error=error,
        )


def _once(call: Call) -> Any:
    """Run the transaction once. Let out only what run_atomic() decides on."""
    alias, owner = call.run.alias, call.run.owner
    is_complete = False
    try:
        with owner.hold(), turn(alias):
            with transaction.atomic(using=alias, durable=True):
                guard = Guard(call)
                value = _body(call, guard)
                text, value = _encode(call, value)
                entry = call.entry(output=text)
                extended_at = _extend_held_lease(call)
                checkpoints.write(entry)
                is_complete = True
            if extended_at is not None:
                owner.extend_from(extended_at)
    except (Error, Refused, Taken, Failed) as error:
        if is_complete:
            _judge_commit(error)
        raise
    except Exception as error:
        # The commit stands or falls without the receivers of on_commit(); one of them raised this.
        raise Unverified from error
    checkpoints.send_recorded(entry)
    return value


def _body(call: Call, guard: Guard) -> Any:
    try:
        with connections[call.run.alias].execute_wrapper(guard), call.run.owner.sessions.open(call.run.alias):
            value = call.body()
        guard.verify()
    except Exception as error:
        if faults.is_passing(error):
            raise
        raise Failed(error) from error
    return value


def _encode(call: Call, value: Any) -> tuple[str, Any]:
    try:
        return payloads.round_trip(value, path=f"the result of step {call.spec.name!r}")
    except Exception as error:
        if faults.is_passing(error):
            raise
        raise Failed(error) from error


def _judge_commit(error: Exception) -> None:
    """Turn an error of COMMIT into Failed (a user's constraint), itself (a victim, run again) or Unverified."""
    fault = faults.classify(error)
    if fault in {Fault.CONSTRAINT, Fault.TAKEN, Fault.REFUSED}:
        raise Failed(error) from error
    if fault is not Fault.ROLLED_BACK:
        raise Unverified from error


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
        step=call.spec.name,
        position=call.position,
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
        lambda: rows.recorded_at(call.run.workflow.pk, checkpoints.MAIN, call.position),
    )
    return found if found is not None and found.is_finished else None


def _explain_refusal(call: Call) -> None:
    """Raise why the fence did not hold; if it holds again now, the body itself had broken it in its transaction."""
    run = call.run
    why = faults.until_answered(run.alias, run.owner, "look at the workflow", lambda: checkpoints.look(run))
    if why is not None:
        raise why
    advice = "Do that in a step that is not atomic."
    raise Failed(BrokenTransaction(step=call.spec.name, what="changed its own workflow", advice=advice))
