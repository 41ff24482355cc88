"""What a new database is filled with before it is copied for the runs: the tables of one side."""

from __future__ import annotations

import importlib

from django.core.management import call_command

from benchmarks import busy_month, crowds


def django(_size: int) -> None:
    call_command("migrate", verbosity=0)


def django_tasks_db(_size: int) -> None:
    django(0)


def procrastinate(_size: int) -> None:
    django(0)


def huey(_size: int) -> None:
    """Import it: it makes its tables by itself."""
    importlib.import_module("benchmarks.declared_for_huey")


def dbos(_size: int) -> None:
    from benchmarks import dbos_side

    with dbos_side.launched():
        dbos_side.register_queues()


def full_table(size: int) -> None:
    """Fill in a million finished workflows, a hundred thousand queued and as many due later, or `size` percent."""
    share = size / 100
    django(0)
    _fill(finished=int(1_000_000 * share), queued=int(100_000 * share), future=int(100_000 * share))


def empty_table(_size: int) -> None:
    """Fill in nothing but a few thousand workflows to claim."""
    django(0)
    _fill(finished=0, queued=10_000, future=0)


def long_queue(size: int) -> None:
    """Fill in a million queued workflows, or `size` percent, and nothing else."""
    django(0)
    _fill(finished=0, queued=10_000 * size, future=0)


def short_queue(_size: int) -> None:
    """Fill in two thousand queued workflows: a thousand more than are claimed."""
    django(0)
    _fill(finished=0, queued=2_600, future=0)


def crowd(size: int) -> None:
    """Fill in a hundred thousand workflows that sleep, and as many that wait for a message, or `size` percent."""
    django(0)
    asleep(1000 * size)
    waiting_crowd("hears", "hears", 1000 * size)
    crowds.tidy()


def month(size: int) -> None:
    """Fill in what the pages of the admin are measured with, or `size` percent of it."""
    django(0)
    busy_month.fill(size)


def asleep(count: int) -> None:
    """Fill in workflows that sleep for days, each some seconds longer than the one before."""
    later = crowds.seconds_from_now("86400 + number * 10")
    waiting_crowd("sleeps", "sleeps", count, {"run_after": later}, {"next_retry_at": later})


def waiting_crowd(
    name: str, prefix: str, count: int, changes: crowds.Changes | None = None, of_steps: crowds.Changes | None = None
) -> None:
    """Run a workflow of workflows.py until it waits, and copy it with its history."""
    from benchmarks import workflows
    from durable_django.models import Workflow
    from durable_django.testing import run_until_idle

    getattr(workflows, name).using(id="pattern").start()
    run_until_idle()
    crowds.copy_workflows("pattern", prefix, count, changes)
    crowds.copy_steps("pattern", prefix, count, of_steps)
    Workflow.objects.get(pk="pattern").cancel()
    Workflow.objects.filter(pk="pattern").delete()


def _fill(*, finished: int, queued: int, future: int) -> None:
    from benchmarks.workflows import one_step
    from durable_django.models import Queue, Workflow

    Queue.objects.ensure("default")
    one_step.using(id="pattern").start(1)
    over = {"status": "'succeeded'", "finished_at": "created_at", "claimed_at": "created_at"}
    crowds.copy_workflows("pattern", "finished", finished, over)
    crowds.copy_workflows("pattern", "queued", queued)
    later = crowds.seconds_from_now("86400 + number")
    crowds.copy_workflows("pattern", "future", future, {"run_after": later})
    pattern = Workflow.objects.get(pk="pattern")
    pattern.cancel()
    pattern.delete()
    crowds.tidy()
