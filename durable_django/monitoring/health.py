"""Health: whether work gets done, as probes ask it; each check is a few probes of indexes, whatever the tables hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models import Exists, OuterRef, Q

from durable_django.base.clock import Later
from durable_django.base.texts import plain, spoken_seconds
from durable_django.conf import durable_settings
from durable_django.engine import context
from durable_django.models.claims import codeless
from durable_django.models.queue import Queue
from durable_django.models.schedule import Schedule
from durable_django.models.standing import SINCE, oldest_seconds
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow
from durable_django.monitoring import applied
from durable_django.worker.looks import Look, look

#: Workflows that one check looks at: enough to say what is wrong.
_MOST = 100


@dataclass(frozen=True)
class Thresholds:
    """
    From when on something is wrong (seconds).

    delay_seconds  a runnable workflow stands in line for longer
    grace_seconds  what workers see to within moments was not seen to for longer: recovery, due moments, deadlines
    """

    delay_seconds: float
    grace_seconds: float = 60.0

    @classmethod
    def of_settings(cls) -> Thresholds:
        """Return those of the project."""
        return cls(float(durable_settings.QUEUE_DELAY_SECONDS))


@dataclass(frozen=True)
class Verdict:
    """What one check has found: no problem, or a sentence for each."""

    check: str
    problems: tuple[str, ...] = ()


def examine(thresholds: Thresholds, ages: Mapping[str, float] | None = None) -> list[Verdict]:
    """
    Return the verdict of each check; the first one alone if the database does not answer, or lacks tables.

    ages  what oldest_seconds() has said of all queues, where it was asked before; otherwise it is asked here

    At most ten queries, whatever the number of queues.
    """
    alias = context.alias_of_workflows()
    try:
        missing = applied.missing(alias)
        if missing:
            return [Verdict("database"), Verdict("migrations", (_unapplied(missing, alias),))]
        return [Verdict("database"), Verdict("migrations"), *_examine(alias, thresholds, ages)]
    except (DatabaseError, InterfaceError) as error:
        return [Verdict("database", (f"Database {alias!r} does not answer: {_worded(error)}",))]


def as_json(verdicts: list[Verdict]) -> dict[str, Any]:
    """Return the verdicts for programs."""
    is_healthy = not any(verdict.problems for verdict in verdicts)
    return {"healthy": is_healthy, "checks": {verdict.check: list(verdict.problems) for verdict in verdicts}}


def _examine(alias: str, limits: Thresholds, ages: Mapping[str, float] | None) -> list[Verdict]:
    found = look(alias, lambda _queue: True)
    busy = {line.queue for line in found.lines} | set(found.suspect_queues)
    if ages is None:
        ages = oldest_seconds(Queue.objects.using(alias).open()) if busy else {}
    checks: dict[str, Iterable[str]] = {
        "workers": _without_worker(alias, {*busy, *_with_late_timers(alias, found, limits)}),
        "queues": _delayed({queue: age for queue, age in ages.items() if queue in busy}, limits),
        "leases": _unrecovered(alias, limits),
        "schedules": _broken(alias, limits),
        "deadlines": _overdue(alias, found, limits),
        "code": _without_code(alias, limits),
    }
    return [Verdict(check, tuple(problems)) for check, problems in checks.items()]


def _unapplied(names: list[str], alias: str) -> str:
    return f"Not applied: {', '.join(names)}. Run: manage.py migrate --database {alias}"


def _with_late_timers(alias: str, found: Look, limits: Thresholds) -> set[str]:
    """Return queues of which something is due that no worker makes runnable (index durable_workflow_timer)."""
    if found.seconds_to_timer is None or found.seconds_to_timer > -limits.grace_seconds:
        return set()
    late = Workflow.objects.using(alias).timed().filter(run_after__lt=Later(-limits.grace_seconds))
    return set(late.values_list("queue", flat=True)[:_MOST])


def _without_worker(alias: str, queues: set[str]) -> Iterable[str]:
    claiming = Worker.objects.using(alias).claiming()
    served = list(claiming.values_list("queues", flat=True)) if queues else []
    for queue in sorted(queues):
        if not any(not names or queue in names for names in served):
            yield f"Queue {plain(queue)} has work, and no live worker claims from it. Start one: manage.py worker"


def _delayed(ages: Mapping[str, float], limits: Thresholds) -> Iterable[str]:
    for queue, age in ages.items():
        if age > limits.delay_seconds:
            limit = spoken_seconds(limits.delay_seconds)
            yield f"Queue {plain(queue)} is delayed: a workflow stands in line for {spoken_seconds(age)} (> {limit})."


def _unrecovered(alias: str, limits: Thresholds) -> Iterable[str]:
    """Say which workers left something that nobody has put back (index durable_workflow_owned)."""
    lately = Worker.objects.using(alias).filter(
        pk=OuterRef("worker"), lease_expires_at__gt=Later(-limits.grace_seconds)
    )
    left = Workflow.objects.using(alias).filter(~Exists(lately), worker__isnull=False).order_by()
    for worker, count in _counted(left.values_list("worker", flat=True)):
        yield f"The lease of worker {plain(worker)} has passed, and nobody recovers what it held: {count} workflows."


def _broken(alias: str, limits: Thresholds) -> Iterable[str]:
    """Say which schedules cannot fire, and which nobody fires; there are never many rows of them."""
    firing = Schedule.objects.using(alias).firing()
    bad = firing.filter(~Q(error="") | Q(next_at__lt=Later(-limits.grace_seconds))).order_by("name")
    for name, error in bad.values_list("name", "error")[:_MOST]:
        reason = plain(error) if error else "it is due, and no worker fires it."
        yield f"Schedule {plain(name)} is broken: {reason}"


def _overdue(alias: str, found: Look, limits: Thresholds) -> Iterable[str]:
    """Say how many live on past their deadline, which a worker should have ended (index durable_workflow_deadline)."""
    if not found.has_overdue:
        return
    overdue = Workflow.objects.using(alias).overdue().filter(deadline__lt=Later(-limits.grace_seconds)).order_by()
    for name, count in _counted(overdue.values_list("name", flat=True)):
        yield f"{count} of {plain(name)} live on past their deadline: no worker ends them."


def _without_code(alias: str, limits: Thresholds) -> Iterable[str]:
    """Say which workflows no live worker knows (index durable_workflow_no_code)."""
    aside = Workflow.objects.using(alias).filter(codeless(alias))
    waiting = aside.alias(since=SINCE).filter(since__lt=Later(-limits.delay_seconds)).order_by()
    for name, count in _counted(waiting.values_list("name", flat=True)):
        yield f"No live worker knows {plain(name)}: {count} wait for its code."


def _counted(values: Any) -> list[tuple[str, str]]:
    """Return each value with how often it is there, with a + if not all were counted."""
    found = list(values[: _MOST + 1])
    more = "+" if len(found) > _MOST else ""
    return [(value, f"{count}{more}") for value, count in sorted(Counter(found[:_MOST]).items())]


def _worded(error: BaseException) -> str:
    return plain(str(error).strip()) or type(error).__name__
