"""
Every error that user code may catch.

    DurableError
    ├── RegistrationError        (ImproperlyConfigured)   a declaration that cannot work
    ├── UnknownQueue             (ImproperlyConfigured)   a queue that nobody declared
    ├── UnknownWorkflow          (LookupError)            a name that no loaded code has
    ├── TaskFunctionMissing      (LookupError)            a path at which there is no task
    ├── PayloadError                                      a value that cannot be stored or read back
    │   ├── NotSerializable      (TypeError)
    │   ├── PayloadTooLarge      (ValueError)
    │   └── UnreadablePayload    (ValueError)
    ├── WorkflowError                                     about one workflow
    │   ├── WorkflowNotFound     (ObjectDoesNotExist)
    │   ├── WorkflowConflict
    │   ├── DuplicateWorkflow
    │   ├── WorkflowFailed
    │   ├── WorkflowCancelled
    │   ├── WorkflowFinished
    │   ├── WorkflowPruned
    │   ├── RecoveriesExhausted
    │   └── ResultTimeout        (TimeoutError)
    ├── StepError                                         about one step
    │   ├── RetriesExhausted
    │   ├── StepTimeout          (TimeoutError)
    │   ├── StepAborted
    │   └── BrokenTransaction    (TransactionManagementError)
    ├── NotReplayable                                     today's code does not fit the history
    ├── ReceiveTimeout           (TimeoutError)
    ├── EventTimeout             (TimeoutError)
    ├── StreamClosed
    ├── StreamTimeout            (TimeoutError)
    ├── InsideTransaction        (TransactionManagementError)
    └── OutsideWorkflow

Control flow is not here: see base/interrupts.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.db.transaction import TransactionManagementError


class DurableError(Exception):
    """
    Base class for the errors of this package. Do not raise directly.

    An error is made from keyword facts, which stay readable as attributes and survive pickling;
    `template` words them.
    """

    template: ClassVar[str] = "{message}"

    def __init__(self, **facts: Any) -> None:
        self.__dict__.update(facts)
        super().__init__(self.template.format(**facts))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[DurableError], args: tuple[Any, ...], facts: dict[str, Any]) -> DurableError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(facts)
    return error


class RegistrationError(DurableError, ImproperlyConfigured):
    """A workflow, step or queue was declared in a way that cannot work."""


class UnknownQueue(DurableError, ImproperlyConfigured):
    """A workflow was started on a queue that no code declares."""

    template = "Queue {queue!r} is not declared.{nearest} Declare it in a workflows.py: Queue({queue!r})."


class UnknownWorkflow(DurableError, LookupError):
    """A workflow was asked for by a name that no loaded code has."""

    template = (
        "No workflow is named {name!r}.{nearest} Its module must be imported: name it workflows.py inside an "
        "installed app, or import it from there."
    )


class TaskFunctionMissing(DurableError, LookupError):
    """There is no task at the path that a row names. `reason` says what is there."""

    path: str
    reason: str
    template = (
        "There is no task {path!r}: {reason} Deploy the code that has it; tasks that wait for it are run then. "
        "If it is gone for good, cancel them."
    )


class PayloadError(DurableError):
    """Base class: a value cannot be stored or read back."""


class NotSerializable(PayloadError, TypeError):
    """A value of a type that is not stored. `path` says where it stands inside the whole value."""

    template = "{path} cannot be stored: {reason} {advice}"


class PayloadTooLarge(PayloadError, ValueError):
    """A value over one of the limits. `limit` names the setting, `size` and `allowed` the figures."""

    template = (
        "{path} is too large to be stored: {size} where DURABLE_DJANGO[{limit!r}] allows {allowed}. "
        "Store it in a table or a file of your own and pass its key, or raise the limit."
    )


class UnreadablePayload(PayloadError, ValueError):
    """A stored text is not a payload: written by other code, damaged, or with a type nobody registered."""

    template = "A stored value cannot be read: {reason} {advice}"


class WorkflowError(DurableError):
    """Base class: something about one workflow. `workflow_id` says which."""


class WorkflowNotFound(WorkflowError, ObjectDoesNotExist):
    """No row has this id: never started, rolled back with its transaction, or deleted."""

    template = (
        "There is no workflow {workflow_id!r}. It was never started, its transaction was rolled back, or its row was "
        "deleted."
    )


class WorkflowConflict(WorkflowError):
    """The id belongs to another workflow, or to the same one with other arguments."""

    template = (
        "Workflow id {workflow_id!r} is taken by {existing}, not by {wanted}. An id is an idempotency key: choose "
        "another one, or, if only the arguments may differ, pass on_duplicate='return_existing'."
    )


class DuplicateWorkflow(WorkflowError):
    """A live workflow already holds the deduplication key on this queue. `workflow_id` is the holder."""

    template = (
        "Workflow {workflow_id!r} already holds the deduplication key {deduplication_key!r} on queue {queue!r}. "
        "Wait until it ends, or pass on_duplicate='return_existing'."
    )


class WorkflowFailed(WorkflowError):
    """A workflow ended with an error whose class is not loaded here: `type`, `error`, `traceback` describe it."""

    template = "Workflow {workflow_id!r} failed with {type}: {error}"


class WorkflowCancelled(WorkflowError):
    """The workflow was cancelled by an operator, by its parent or at its deadline; `reason` says why."""

    template = "Workflow {workflow_id!r} was cancelled ({reason}). Resume it with .resume() if it should go on."


class WorkflowFinished(WorkflowError):
    """The workflow has ended and takes nothing more."""

    template = "Workflow {workflow_id!r} has already ended ({status})."


class WorkflowPruned(WorkflowError):
    """The workflow ended so long ago that only its bare row is left; `status` is how it ended."""

    template = (
        "Workflow {workflow_id!r} has ended ({status}), and its retention is over: arguments, steps and result are "
        "gone, only its id still stands for it. To keep them for longer: @workflow(retention=), or RETENTION_DAYS and "
        "FAILED_RETENTION_DAYS."
    )


class RecoveriesExhausted(WorkflowError):
    """Every attempt lost its worker without getting one step further, as often as allowed."""

    template = (
        "Workflow {workflow_id!r} lost its worker {recoveries} times in a row without finishing another step. It "
        "may be what kills the worker (memory, a crash in native code): see the workers' logs, mend it, then "
        "resume the workflow: manage.py durable resume {workflow_id}"
    )


class ResultTimeout(WorkflowError, TimeoutError):
    """The workflow did not end while its result was waited for. It goes on undisturbed."""

    template = "Workflow {workflow_id!r} did not end within {timeout} s (it is {status}). It goes on; ask again later."


class StepError(DurableError):
    """Base class: something about one step. `step` is its name."""


class RetriesExhausted(StepError):
    """The step failed as often as its Retry allows. `last_error` words the last failure, which is `__cause__`."""

    template = "Step {step!r} failed {attempts} times; the last error was {last_error}"


class StepTimeout(StepError, TimeoutError):
    """One attempt of the step took longer than its timeout."""

    template = "Step {step!r} took longer than its timeout of {timeout} s (attempt {attempt})."


class StepAborted(StepError):
    """A body was left by SystemExit or its like, or the workflow's own code has cancelled a step or a wait."""

    template = (
        "Step {step!r} was left by {error}, which is not an Exception. "
        "Raise an Exception to fail a step; to bound a step or a wait, give it a timeout."
    )


class BrokenTransaction(StepError, TransactionManagementError):
    """A body left its transaction in a state that cannot be committed as one piece. `kind` says whose body."""

    template = (
        "{kind} {step!r} {what}, so its writes and its checkpoint cannot be committed together; everything "
        "was rolled back. {advice}"
    )


class NotReplayable(DurableError):
    """The code calls another step than the one recorded at this position."""

    template = (
        "Workflow {workflow_id} cannot be replayed: step {position} was recorded as {recorded!r} but the code now "
        "calls {called!r}. Restore the old order of steps, or guard what is new with patched('a name'), then resume "
        "it: manage.py durable resume {workflow_id}; or fork it from that step: workflow.fork(from_step={position!r})."
    )


class ReceiveTimeout(DurableError, TimeoutError):
    """No message came in time."""

    template = "No message on topic {topic!r} came within {timeout} s."


class EventTimeout(DurableError, TimeoutError):
    """The event was not set in time, or cannot be set any more; `why` words which."""

    template = "Workflow {workflow_id!r} did not set event {key!r} {why}."


class StreamClosed(DurableError):
    """The stream was closed before, and takes nothing more."""

    template = "Stream {key!r} of workflow {workflow_id!r} is closed. Write before close_stream(), or use another key."


class StreamTimeout(DurableError, TimeoutError):
    """No further entry came in time; the stream is still open."""

    template = "No entry came to stream {key!r} of workflow {workflow_id!r} within {timeout} s."


class InsideTransaction(DurableError, TransactionManagementError):
    """An operation that must commit, or wait for others' commits, was called inside atomic()."""

    template = "{operation} cannot be used inside transaction.atomic(): {reason} {advice}"


class OutsideWorkflow(DurableError):
    """An operation that only makes sense while a workflow runs was called elsewhere."""

    template = "{operation} can only be used {where}. {advice}"
