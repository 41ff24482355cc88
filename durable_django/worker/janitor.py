"""The janitor of each worker: recovery, deadlines, dead neighbours, vain waits, retention, alerts."""

from __future__ import annotations

import random
from collections.abc import Iterator

from durable_django.base import clock, hosts, registry
from durable_django.conf import durable_settings
from durable_django.engine import recovering
from durable_django.engine.ownership import Ownership
from durable_django.engine.strays import Strays
from durable_django.models.queue import Queue
from durable_django.models.recovery import Recovery
from durable_django.models.retention import sweep
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow
from durable_django.worker.alerts import Alerts
from durable_django.worker.looks import Look

#: How often the list of workers on this machine is read; their processes are looked at in every turn.
_NEIGHBOURS_SECONDS = 2.0
_CODE_SECONDS = 10.0
_QUEUES_SECONDS = 30.0
#: How often, about, each worker looks for those that wait for workflows that other hands have deleted.
_BEREFT_SECONDS = 300.0
#: How often, about, each worker looks for what is past its retention.
_RETENTION_SECONDS = 300.0
#: While there is such, it prunes one batch, then sees to its workflows for so many times as long as that took, and at
#: least for so many seconds.
_RETENTION_REST = 9
_RETENTION_REST_SECONDS = 0.2
#: Rows of workers that died so many leases ago are removed.
_KEPT_LEASES = 2880

_NO_SWEEP: Iterator[int] = iter(())


class Janitor:
    """The upkeep that one worker process does between two claims."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._neighbours: list[tuple[str, int, str]] = []
        self._neighbours_read_at = -_NEIGHBOURS_SECONDS
        self._code_read_at = -_CODE_SECONDS
        self._queues_seen_to_at = clock.elapsed_seconds()
        self._strays = Strays(alias)
        self._alerts = Alerts(alias)
        self._bereft_at = _later(_BEREFT_SECONDS)
        self._retention_at = _later(_RETENTION_SECONDS)
        self._sweep = _NO_SWEEP

    def tidy(self, found: Look, owner: Ownership) -> int:
        """Do what the look has shown to be necessary. Return how many workflows became runnable or ended."""
        changed = self._expire_gone_neighbours(owner) + self._strays.put_back_when_due(owner)
        if found.has_orphans or changed:
            changed += self.recover().total
        if found.has_overdue:
            changed += Workflow.objects.using(self.alias).expire()
        self._alerts.look_when_due()
        now = clock.elapsed_seconds()
        if now - self._code_read_at >= _CODE_SECONDS:
            self._code_read_at = now
            changed += Workflow.objects.using(self.alias).promote_known(registry.workflows.names())
        if now >= self._bereft_at:
            self._bereft_at = _later(_BEREFT_SECONDS)
            changed += Workflow.objects.using(self.alias).wake_bereft()
        if now >= self._retention_at:
            self._prune(now)
        return changed + self._see_to_queues(now)

    def _see_to_queues(self, now: float) -> int:
        if now - self._queues_seen_to_at < _QUEUES_SECONDS:
            return 0
        self._queues_seen_to_at = now
        queues = Queue.objects.using(self.alias)
        queues.forget_starts()
        return queues.give_partitions()

    def _prune(self, began_at: float) -> None:
        """Prune one batch of what is past its retention; when there is no more, look again after some minutes."""
        if self._sweep is _NO_SWEEP:
            self._sweep = sweep(Workflow.objects.using(self.alias))
        # Ended by an error, it begins anew some minutes later: what cannot be deleted, since a row of the project keeps
        # it for example, would fail every turn otherwise, and nothing would be claimed.
        sweeping, self._sweep = self._sweep, _NO_SWEEP
        self._retention_at = _later(_RETENTION_SECONDS)
        if next(sweeping, None) is None:
            return
        self._sweep = sweeping
        now = clock.elapsed_seconds()
        self._retention_at = now + max(_RETENTION_REST_SECONDS, _RETENTION_REST * (now - began_at))

    def recover(self) -> Recovery:
        """Put back what lost workers held."""
        done = Workflow.objects.using(self.alias).recover()
        recovering.report(done, self.alias)
        return done

    def _expire_gone_neighbours(self, owner: Ownership) -> int:
        """Expire at once the lease of each worker of this machine whose process is gone."""
        self._read_neighbours(owner)
        gone = [row for row in self._neighbours if hosts.is_gone(row[1], row[2])]
        for worker_id, _pid, _started_at in gone:
            Worker.objects.using(self.alias).filter(pk=worker_id).expire()
        self._neighbours = [row for row in self._neighbours if row not in gone]
        if gone:
            self._alerts.tell_of_lost_workers()
        return len(gone)

    def _read_neighbours(self, owner: Ownership) -> None:
        here = hosts.host()
        now = clock.elapsed_seconds()
        if not here["boot_id"] or now - self._neighbours_read_at < _NEIGHBOURS_SECONDS:
            return
        self._neighbours_read_at = now
        # Not by the process number, which a dead predecessor in the same container may have had as well.
        rows = Worker.objects.using(self.alias).alive().on_host(**here).exclude(pk=owner.worker_id)
        self._neighbours = [row for row in rows.values_list("pk", "pid", "process_started_at") if row[2]]

    def forget_old_workers(self) -> None:
        """Remove rows of workers that died long ago; called once at boot."""
        Worker.objects.using(self.alias).forget(after_seconds=durable_settings.LEASE_SECONDS * _KEPT_LEASES)


def _later(seconds: float) -> float:
    """Return a moment about so much later, so that workers do not look all at once."""
    return clock.elapsed_seconds() + seconds * (0.5 + random.random())  # noqa: S311 - spreads load
