"""One task as a worker runs it: which function with what, attempt by attempt, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from durable_django import signals
from durable_django.base import ids, payloads
from durable_django.base.interrupts import Interrupt, Suspended
from durable_django.base.texts import plain, shortened
from durable_django.engine import checkpoints, context, faults
from durable_django.engine.branches import Place
from durable_django.engine.calls import StepSpec
from durable_django.engine.checkpoints import Entry
from durable_django.engine.context import Run, StepInfo
from durable_django.exceptions import BrokenTransaction, PayloadError, TaskFunctionMissing
from durable_django.models.workflow import Workflow
from durable_django.tasks import attempts
from durable_django.tasks.attempts import Ended
from durable_django.tasks.backend import DurableBackend
from durable_django.tasks.finding import find_task
from durable_django.tasks.live import LiveResult
from durable_django.tasks.options import Policy, policy_of
from durable_django.tasks.results import StoredCall, task_of
from durable_django.tasks.sources import (
    DEFAULT_TASK_BACKEND_ALIAS,
    AnyTask,
    TaskContext,
    TaskResultStatus,
    task_backends,
    task_started,
)
from durable_django.tasks.values import as_json

#: How often to look whether the code of a task has come, as for workflows of unknown names (seconds).
_LOOK_FOR_CODE_SECONDS = 30
_LONGEST_NAME = 255
#: Where the first attempt is recorded, or would be.
_FIRST = Place("", 1)
#: The tasks that this process runs; a run that ends takes its entry with it.
_executions: WeakKeyDictionary[Run, Execution] = WeakKeyDictionary()


@dataclass(eq=False, kw_only=True)
class Execution:
    """
    A task during one attempt of its workflow.

    sender  the class of its backend, which sends the signals of django.tasks
    ended   its own attempts so far, those before a replay included
    """

    workflow: Workflow
    path: str
    call: StoredCall
    task: AnyTask
    sender: type
    policy: Policy
    ended: list[Ended] = field(default_factory=list)
    value: Any = None

    @classmethod
    def begin(cls, path: str, args: list[Any], kwargs: dict[str, Any], facts: Mapping[str, Any]) -> Execution:
        """Return the execution of the task at a path, or suspend the workflow until a worker has its code."""
        run = context.require_run("A task")
        try:
            return cls._of(run, StoredCall(path, args, kwargs, facts))
        except TaskFunctionMissing as error:
            run.guard(_wait_for_code, run, error)
            raise

    @classmethod
    async def abegin(cls, path: str, args: list[Any], kwargs: dict[str, Any], facts: Mapping[str, Any]) -> Execution:
        """See begin()."""
        run = context.require_run("A task")
        try:
            return cls._of(run, StoredCall(path, args, kwargs, facts))
        except TaskFunctionMissing as error:
            if run.board is not None:
                await run.board.threads(partial(run.guard, _wait_for_code, run, error))
            raise

    @classmethod
    def _of(cls, run: Run, call: StoredCall) -> Execution:
        found = find_task(call.path)
        backend = _backend_of(call.facts.get("backend", DEFAULT_TASK_BACKEND_ALIAS))
        execution = cls(
            workflow=run.workflow,
            path=call.path,
            call=call,
            task=task_of(call, run.workflow),
            sender=DurableBackend if backend is None else type(backend),
            # Of what the code declares: what the row says of the task may not be valid any more.
            policy=policy_of(found, {} if backend is None else backend.options),
        )
        _executions[run] = execution
        return execution

    def step(self, number: int) -> StepSpec:
        """Return attempt `number`, from 1, as a step."""
        run = context.current_run()
        is_in_loop = run is not None and run.board is not None and not self.policy.is_atomic
        is_awaited = is_in_loop and iscoroutinefunction(self.task.func)
        return StepSpec(
            name=self._name,
            func=partial(self._acall if is_awaited else self._call, number),
            is_atomic=self.policy.is_atomic,
            timeout_seconds=self.policy.timeout_seconds,
        )

    @property
    def is_recorded_by_its_end(self) -> bool:
        """Whether the outcome of the workflow is record enough: one call, in this thread, of which there is no step."""
        policy, run = self.policy, context.current_run()
        is_plain = policy.retry.max_attempts == 1 and policy.timeout_seconds is None and not policy.is_atomic
        return is_plain and run is not None and run.board is None and _FIRST not in run.history

    def run_once(self) -> Any:
        """
        Call the task as if in a step, without recording one: the commit of the outcome is the only one of a task.

        If that is refused since the workflow was paused or cancelled meanwhile, the step is recorded after all, so that
        a task that has ended is not run again when it is resumed.
        """
        run = context.require_run("A task")
        key = ids.shortened(f"{self.workflow.pk}/{run.next_place()}")
        try:
            with context.stepping(StepInfo(self._name, 1, 1, key, _FIRST)):
                recorded = self._call(1)
        except Exception as error:
            run.late = partial(self._record_late, run, error=error)
            self.fail(1, error)
            raise
        run.late = partial(self._record_late, run, recorded=recorded)
        return self.finish(recorded)

    def _record_late(self, run: Run, *, recorded: Any = None, error: Exception | None = None) -> None:
        entry = Entry(run=run, place=_FIRST, name=self._name, kind="step")
        if error is None:
            entry.output = payloads.encode(recorded)
        else:
            entry.error = payloads.encode_error(error)
        # Refused: a later attempt has the workflow. Taken: it has recorded the same.
        with suppress(checkpoints.Refused, checkpoints.Taken):
            checkpoints.write(entry, is_running=False)

    @property
    def _name(self) -> str:
        return shortened(plain(self.path), _LONGEST_NAME)

    def finish(self, recorded: Mapping[str, Any]) -> Any:
        """Return what was recorded of the attempt that has succeeded."""
        self.ended.append(Ended(recorded["worker"], None, None))
        self.value = recorded["return_value"]
        return recorded

    def fail(self, number: int, error: Exception) -> float | None:
        """Note that attempt `number` has failed. Return the seconds until the next one, None if there is none."""
        self.ended.append(attempts.ended_with(error))
        # Both would only repeat the effects of the task.
        if isinstance(error, PayloadError | BrokenTransaction):
            return None
        return self.policy.delay_after(number, error, self.result(TaskResultStatus.RUNNING))

    def result(self, status: str, *workers: str) -> LiveResult:
        """
        Return what the receivers of signals, and the task itself, are told.

        workers  of attempts that have not ended
        """
        result = LiveResult(
            partial(_moments, self.workflow),
            task=self.task,
            id=self.workflow.pk,
            status=status,
            args=self.call.args,
            kwargs=self.call.kwargs,
            backend=self.call.facts.get("backend", DEFAULT_TASK_BACKEND_ALIAS),
            errors=[ended.error for ended in self.ended if ended.error is not None],
            worker_ids=[*(ended.worker for ended in self.ended), *workers],
        )
        object.__setattr__(result, "_return_value", self.value)
        return result

    @property
    def _worker(self) -> str:
        return str(self.workflow.worker)

    def _call(self, number: int) -> dict[str, Any]:
        given = self._given(self._tell_start())
        with self._attempt(number):
            return attempts.success(self._worker, as_json(self.task.call(*given, **self.call.kwargs)))

    async def _acall(self, number: int) -> dict[str, Any]:
        run, _step = context.current_place()
        if run.board is None:
            return self._call(number)
        given = self._given(await run.board.threads(self._tell_start))
        with self._attempt(number):
            return attempts.success(self._worker, as_json(await self.task.acall(*given, **self.call.kwargs)))

    def _tell_start(self) -> LiveResult:
        result = self.result(TaskResultStatus.RUNNING, self._worker)
        task_started.send_robust(self.sender, task_result=result)
        if self.task.takes_context and iscoroutinefunction(self.task.func):
            result.load()
        return result

    def _given(self, result: LiveResult) -> list[Any]:
        return [TaskContext(task_result=result), *self.call.args] if self.task.takes_context else self.call.args

    @contextmanager
    def _attempt(self, number: int) -> Iterator[None]:
        """Let current_step() be the same at every attempt but for the number, and errors say whose they are."""
        _run, step = context.current_place()
        key = ids.shortened(f"{self.workflow.pk}/{_FIRST}")
        with context.stepping(replace(step, attempt=number, idempotency_key=key)):
            try:
                yield
            except Exception as error:
                attempts.sign(error, self._worker)
                raise
            except BaseException as error:
                if isinstance(error, Interrupt | KeyboardInterrupt | asyncio.CancelledError | GeneratorExit):
                    raise
                failure = attempts.left_by(error, self.workflow.pk)
                attempts.sign(failure, self._worker)
                raise failure from error


def current() -> Execution | None:
    """Return the task that this code is part of, or None."""
    run = context.current_run()
    return None if run is None else _executions.get(run)


def _backend_of(alias: str) -> DurableBackend | None:
    """Return the backend that a row names, unless it is gone or another one today."""
    try:
        backend = task_backends[alias]
    except Exception:  # noqa: BLE001 - a setting of today must not fail a task of yesterday
        return None
    return backend if isinstance(backend, DurableBackend) else None


def _wait_for_code(run: Run, missing: TaskFunctionMissing) -> NoReturn:
    """Let the workflow wait for a worker that has the code, as in a deployment. Raises Suspended."""
    path = shortened(plain(missing.path), _LONGEST_NAME)
    if missing.__cause__ is not None:
        signals.worker_failed.send_robust(
            sender=None, worker_id=run.owner.worker_id, what=f"importing task {path}", error=missing.__cause__
        )
    awaited = f"code of task {path}"
    is_suspended = faults.until_answered(
        run.alias, run.owner, "wait for code", lambda: run.workflow.suspend(awaited, _LOOK_FOR_CODE_SECONDS)
    )
    raise Suspended if is_suspended else checkpoints.why_refused(run)


def _moments(workflow: Workflow) -> Mapping[str, datetime | None]:
    columns = ("created_at", "started_at", "claimed_at", "finished_at")
    found = Workflow.objects.using(workflow._state.db).filter(pk=workflow.pk).values(*columns).first()
    return found or dict.fromkeys(columns)
