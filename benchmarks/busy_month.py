"""A busy month: two million workflows with five steps each, as the pages of the admin find them in a large project."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks import crowds

if TYPE_CHECKING:
    from durable_django.models import Schedule

WORKFLOWS = 2_000_000
_MONTH_SECONDS = 30 * 86400
_NAMES = ("shop.checkout", "shop.refund", "mail.newsletter", "docs.report", "billing.invoice", "benchmarks.five_steps")
_QUEUES = ("default", "mail", "reports", "imports", "billing", "slow")
_WORKERS = 4
_ERROR = "CASE number % 3 WHEN 0 THEN error ELSE replace(error, 'ValueError', 'TimeoutError') END"
_CRONS = ("0 9 * * 1-5", "*/15 * * * *", "30 2 * * *", "0 0 1 * *")


def fill(percent: int) -> None:
    """Fill in the month, or so many percent of it; one of two hundred fails, a thousand wait, two thousand queue."""
    from django.db import connection

    _pattern("pattern", succeeds=True)
    _pattern("bad", succeeds=False)
    count = WORKFLOWS * percent // 100
    failed = count // 200
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET synchronous_commit = off")
    crowds.copy_workflows("pattern", "done", count - failed, _ended(count - failed))
    crowds.copy_steps("pattern", "done", count - failed, _step_moments(count - failed))
    crowds.copy_workflows("bad", "failed", failed, {**_ended(failed), "error": _ERROR})
    crowds.copy_steps("bad", "failed", failed, _step_moments(failed))
    _live(percent)
    _surroundings()
    crowds.tidy()


def _live(percent: int) -> None:
    fresh = {"finished_at": "NULL", "output": "NULL", "created_at": _ago("number * 7"), **_names()}
    idle = {**fresh, "worker": "NULL", "started_at": "NULL", "claimed_at": "NULL", "attempt": "0"}
    queued = {**idle, "status": "'queued'", "partition_key": "'tenant-' || number % 17"}
    crowds.copy_workflows("pattern", "queued", 20 * percent, queued)
    later = {**idle, "status": "'queued'", "run_after": crowds.seconds_from_now("3600 + number")}
    crowds.copy_workflows("pattern", "later", 10 * percent, later)
    waiting = {**fresh, "status": "'waiting'", "waiting_for": "'message:approval'", "created_at": _ago("number * 2500")}
    crowds.copy_workflows("pattern", "waiting", 10 * percent, waiting)
    running = {**fresh, "status": "'running'", "worker": f"'worker-' || number % {_WORKERS}"}
    crowds.copy_workflows("pattern", "running", 24, running)
    code = {**idle, "status": "'queued'", "waiting_for": "'code'", "run_after": crowds.seconds_from_now("20")}
    crowds.copy_workflows("pattern", "strange", 20, code)
    paused = {**fresh, "status": "'paused'", "reason": "'Replay would diverge.'", "created_at": _ago("number * 90000")}
    crowds.copy_workflows("pattern", "paused", 20, paused)


def _surroundings() -> None:

    from durable_django.models import Queue, Schedule, Worker

    Queue.objects.ensure(*_QUEUES)
    Queue.objects.filter(name="billing").edit(concurrency=20)
    Queue.objects.filter(name="slow").pause()
    for number in range(_WORKERS):
        lease = 7 * 86400.0 if number else -60.0
        Worker.objects.register(f"worker-{number}", lease, hostname="app", pid=100 + number, threads=8)
    for number, text in enumerate(_CRONS):
        schedule = Schedule(name=f"every-{number}", cron=text, workflow="docs.report", timezone="Europe/Berlin")
        schedule.save()
        _runs(schedule)


def _runs(schedule: Schedule) -> None:
    """Let a schedule have started what it would have started in the last days."""
    from durable_django.base import ticks
    from durable_django.models import Workflow

    rows = []
    for number, tick in enumerate(schedule.next_ticks(50)):
        moment = tick - timedelta(days=30)
        run = Workflow.objects.get(pk="bad" if number % 17 == 5 else "pattern")
        run.pk, run.schedule, run.created_at = ticks.workflow_id(schedule.name, moment), schedule.name, moment
        rows.append(run)
    Workflow.objects.bulk_create(rows)


def _pattern(key: str, *, succeeds: bool) -> None:
    from benchmarks.workflows import five_steps
    from durable_django.testing import run_until_idle

    five_steps.using(id=key).start("x" * 200, succeeds=succeeds)
    run_until_idle()


def _ended(count: int) -> crowds.Changes:
    begun = f"({_MONTH_SECONDS}.0 * ({count} - number) / {count}) + number % 90"
    return {
        "created_at": _ago(f"{begun} + 120"),
        "started_at": _ago(f"{begun} + 119"),
        "claimed_at": _ago(f"{begun} + 119"),
        "finished_at": _ago(f"{begun} + 119 - number % 90"),
        "parent_id": "CASE WHEN number % 10 = 0 THEN 'done-' || (number - 1) END",
        **_names(),
    }


def _step_moments(count: int) -> crowds.Changes:
    begun = f"({_MONTH_SECONDS}.0 * ({count} - number) / {count}) + number % 90 + 118"
    return {"started_at": _ago(begun), "finished_at": _ago(f"{begun} - number % 20")}


def _names() -> crowds.Changes:
    return {"name": _choice(_NAMES, "number"), "queue": _choice(_QUEUES, "number / 7"), "version": "'v' || number % 3"}


def _choice(values: tuple[str, ...], number: str) -> str:
    cases = " ".join(f"WHEN {place} THEN '{value}'" for place, value in enumerate(values))
    return f"CASE ({number}) % {len(values)} {cases} END"


def _ago(seconds: str) -> str:
    return crowds.seconds_from_now(f"-({seconds})")
