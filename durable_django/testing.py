"""
Testing workflows inside a plain TestCase: no worker, no thread, no sleeping.

    from durable_django.testing import crash_after, run_until_idle, travel

    handle = checkout.start(order.pk)
    with crash_after(reserve_stock):
        run_until_idle()
    run_until_idle()
    with travel(hours=1):
        run_until_idle()

Everything runs in the test's own thread and on its own connection, and is rolled back with it.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Exists
from django.db.models.sql import Query
from django.dispatch import Signal

from durable_django import signals
from durable_django.base import clock, registry
from durable_django.base.interrupts import Crashed
from durable_django.engine import attempts, context, firing, recovering
from durable_django.engine.ownership import Ownership
from durable_django.models import claims, limited_claims
from durable_django.models.claims import Wanted
from durable_django.models.compiled import Slot, Statement
from durable_django.models.fields import Literal
from durable_django.models.queue import Queue
from durable_django.models.schedule import Schedule
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow
from durable_django.models.workflow_queryset import WorkflowQuerySet

__all__ = ["crash_after", "crash_before", "fire_schedules", "run_until_idle", "travel"]

_LEASE_SECONDS = 3600.0
_CLAIM = 100


def run_until_idle(*, most: int = 10_000) -> int:
    """
    Run workflows here until none is runnable now. Return how many attempts were run.

    most  attempts after which it gives up: a workflow that starts itself for ever must not hang the test

    What lost its worker in a crash is recovered first, at once, however often that was. Workflows that wait for a
    later moment stay waiting: move the clock with travel(). Raises RuntimeError after `most` attempts.
    """
    alias = context.alias_of_workflows()
    owner = _register(alias)
    _recover(owner, alias)
    count = 0
    try:
        while found := _claim(owner, alias):
            for workflow in found:
                count += 1
                _require_below(most, count)
                attempts.attempt(workflow, owner, alias)
    except Crashed:
        # As after SIGKILL: the rows still say RUNNING, and only the lease tells that nobody is there.
        pass
    Worker.objects.using(alias).filter(pk=owner.worker_id).delete()
    return count


def _register(alias: str) -> Ownership:
    owner = Ownership(f"test-{uuid.uuid4().hex}")
    Worker.objects.using(alias).register(
        owner.worker_id, _LEASE_SECONDS, name="run_until_idle()", hostname="test", pid=0
    )
    return owner


class _Upkeep(NamedTuple):
    """What there is to do before a claim."""

    has_orphans: bool
    has_overdue: bool
    has_due: bool
    is_any_aside: bool


def _upkeep(alias: str) -> Query:
    rows = Workflow.objects.using(alias)
    here = Worker.objects.using(alias).filter(pk=Slot("worker_id", models.CharField()))
    aside = rows.filter(waiting_for=Literal("code"))
    return here.values_list(*map(Exists, (rows.orphaned(), rows.overdue(), rows.due(), aside))).query


#: One look before each claim: to try each in vain would cost several times as much as to run a short workflow.
_UPKEEP = Statement(_upkeep)


def _look(owner: Ownership, alias: str) -> _Upkeep:
    # Without an answer the test has removed its worker: then everything is tried.
    found = _UPKEEP.fetch(alias, {"worker_id": owner.worker_id}) or [(True, True, True, True)]
    return _Upkeep(*found[0])


def _recover(owner: Ownership, alias: str) -> None:
    rows = Workflow.objects.using(alias)
    needed = _look(owner, alias)
    if needed.has_overdue:
        rows.expire()
    while needed.has_orphans and recovering.report(rows.recover(is_immediate=True), alias):
        pass


def _claim(owner: Ownership, alias: str) -> list[Workflow]:
    """Claim one workflow: what it starts or wakes may have to come before the next."""
    rows = Workflow.objects.using(alias)
    names = registry.workflows.names()
    needed = _look(owner, alias)
    if needed.is_any_aside:
        rows.promote_known(names)
    while needed.has_due and rows.promote():
        pass
    if needed.has_overdue:
        rows.expire()
    for name in _queues_with_work(rows):
        queue = Queue.objects.using(alias).filter(pk=name).first()
        for is_alone in (False, True):
            wanted = Wanted(name, 1, tuple(names), is_alone=is_alone)
            if found := _claim_from(queue, wanted, owner, alias):
                return found
    return []


def _queues_with_work(rows: WorkflowQuerySet) -> list[str]:
    ready = rows.queued().filter(run_after__isnull=True, worker__isnull=True)
    return list(ready.order_by("queue").values_list("queue", flat=True).distinct())


def _claim_from(queue: Queue | None, wanted: Wanted, owner: Ownership, alias: str) -> list[Workflow]:
    if queue is not None and queue.limits.is_limited:
        claimed = limited_claims.claim(alias, owner.worker_id, wanted)
        while claimed.round and not claimed.workflows:
            claimed = limited_claims.claim(alias, owner.worker_id, wanted, claimed.round)
        return claimed.workflows
    return claims.claim(alias, owner.worker_id, wanted)


def fire_schedules(*names: str) -> list[str]:
    """
    Fire what is due of these schedules, or of all, as a worker would. Return the ids of the workflows it starts.

    run_until_idle() alone fires none: a test that travels a week must not meet every nightly job of the project.
    Raises Schedule.DoesNotExist for a name without a row, and what keeps a schedule from firing.
    """
    alias = context.alias_of_workflows()
    rows = Schedule.objects.using(alias)
    chosen = [rows.get(name=name).pk for name in names] or list(rows.order_by("pk").values_list("pk", flat=True))
    started: list[str] = []

    def collect(workflow_ids: tuple[str, ...], **_facts: Any) -> None:
        started.extend(workflow_ids)

    def fail(error: Exception, **_facts: Any) -> None:
        errors.append(error)

    errors: list[Exception] = []
    with _connected(signals.schedule_fired, collect), _connected(signals.schedule_failed, fail):
        for pk in chosen:
            while firing.fire(alias, pk) and not errors:
                pass
    if errors:
        raise errors[0]
    return started


@contextmanager
def _connected(signal: Signal, receiver: Callable[..., None]) -> Iterator[None]:
    signal.connect(receiver)
    try:
        yield
    finally:
        signal.disconnect(receiver)


def _require_below(most: int, count: int) -> None:
    if count > most:
        message = f"run_until_idle() has run {most} attempts and there is more to do. Does a workflow start itself?"
        raise RuntimeError(message)


@contextmanager
def travel(delta: timedelta | None = None, **parts: float) -> Iterator[None]:
    """
    Move the engine's clock while the block runs: `travel(timedelta(days=3))` or `travel(days=3, hours=1)`.

    Due times, retries and deadlines see the moved clock; Python's and Django's clocks are left alone. Moves add up.
    """
    with clock.shift((delta or timedelta()) + timedelta(**parts)):
        yield


@contextmanager
def crash_before(step: Any, *, times: int = 1) -> Iterator[None]:
    """
    Let the worker die when the step's body is about to run.

    times  how often: 1 lets the next attempt pass
    """
    with _replaced(step, _body_with(step.spec.func, before=_Deaths(times))):
        yield


@contextmanager
def crash_after(step: Any, *, recorded: bool = True, times: int = 1) -> Iterator[None]:
    """
    Let the worker die when the step has run.

    recorded  True: its outcome is committed. False: between body and checkpoint, so that a plain step runs again and
              an atomic one is rolled back
    times     how often: 1 lets the next attempt pass
    """
    if recorded:
        with _crash_when_recorded(step.spec.name, _Deaths(times)):
            yield
        return
    with _replaced(step, _body_with(step.spec.func, after=_Deaths(times))):
        yield


class _Deaths:
    """The worker dies so often, then no more."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> None:
        if self.left:
            self.left -= 1
            raise Crashed


def _nothing() -> None:
    """Go on."""


def _body_with(
    body: Callable[..., Any], before: Callable[[], None] = _nothing, after: Callable[[], None] = _nothing
) -> Callable[..., Any]:
    """Return a body that does something before or behind what it does; an async one stays async."""

    def called(*args: Any, **kwargs: Any) -> Any:
        before()
        value = body(*args, **kwargs)
        after()
        return value

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        before()
        value = await body(*args, **kwargs)
        after()
        return value

    return awaited if inspect.iscoroutinefunction(body) else called


@contextmanager
def _crash_when_recorded(name: str, death: _Deaths) -> Iterator[None]:
    def die(*, step: str, **_facts: Any) -> None:
        if step == name:
            # send_robust() contains Exceptions; this is none, like the signal that it plays.
            death()

    with _connected(signals.step_recorded, die):
        yield


@contextmanager
def _replaced(step: Any, func: Any) -> Iterator[None]:
    before = step.spec.func
    step.spec.func = func
    try:
        yield
    finally:
        step.spec.func = before
