"""Kill a worker at the worst moment: while it holds workflows, one of them charged but not yet recorded."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from durable_django.models import Step, Worker, Workflow
from example_project.demo.failures import NothingToDisturb
from example_project.demo.processes import Child
from example_project.provider.ledger import Ledger

#: Time for a stopped process to stand still before the database is looked at, and for it to go on.
SETTLE_SECONDS = 0.05
#: So often the worker is stopped and looked at before any moment will do at which it holds something.
TRIES = 20


@dataclass(frozen=True)
class Crash:
    """What the worker left behind: workflows with the attempt it was at, and which of them were charged unrecorded."""

    worker: str
    pids: tuple[int, ...]
    attempts: dict[str, int] = field(default_factory=dict)
    charged: tuple[str, ...] = ()

    @property
    def held(self) -> tuple[str, ...]:
        """The workflows that the worker was running."""
        return tuple(self.attempts)

    def recovered(self) -> list[Workflow]:
        """Return those that another attempt has brought to an end."""
        rows = Workflow.objects.finished().filter(pk__in=self.held)
        return [row for row in rows if row.attempt > self.attempts[row.pk]]


def crash(victim: Child, ledger: Ledger) -> Crash:
    """
    Kill the worker, supervisor and children at once, and return what it was doing.

    It is stopped first, so that what the database shows is what it was doing when it died. If that is nothing, or (up
    to a number of tries) no charge that it had not recorded, it goes on and is looked at again a moment later.
    Raises NothingToDisturb if it never held a workflow.
    """
    workers = list(Worker.objects.alive().filter(name=victim.name))
    pids = [victim.process.pid, *(worker.pid for worker in workers)]
    try:
        for tries_left in reversed(range(TRIES)):
            _signal(pids, signal.SIGSTOP)
            time.sleep(SETTLE_SECONDS)
            found = _look(victim.name, workers, ledger)
            if found.charged or (found.held and not (tries_left and _is_work_left())):
                return found
            _signal(pids, signal.SIGCONT)
            time.sleep(SETTLE_SECONDS)
    finally:
        # Also after Ctrl-C: one that is stopped would hear of no other signal.
        _signal(pids, signal.SIGKILL)
        victim.process.wait()
    raise NothingToDisturb(victim.name)


def _look(name: str, workers: Sequence[Worker], ledger: Ledger) -> Crash:
    running = Workflow.objects.running().filter(worker__in=[worker.pk for worker in workers])
    attempts = dict(running.values_list("pk", "attempt"))
    pids = tuple(worker.pid for worker in workers)
    return Crash(name, pids, attempts, _charged_unrecorded(list(attempts), ledger))


def _charged_unrecorded(workflow_ids: Sequence[str], ledger: Ledger) -> tuple[str, ...]:
    charges = Step.objects.filter(name="charge_card", workflow_id__in=workflow_ids, finished_at__isnull=False)
    recorded = set(charges.values_list("workflow_id", flat=True))
    charged = {f"order-{number}" for number in ledger.charged_orders()}
    return tuple(sorted((charged & set(workflow_ids)) - recorded))


def _is_work_left() -> bool:
    return Workflow.objects.queued().exists()


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    # The supervisor first: it would replace a child that it sees dying.
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
