"""
Alerts: what is wrong with the whole system is told by a signal, once for each incident.

No worker leads: a row says when somebody has looked last, and who moves it on looks. The row of an incident decides
who tells of it, and knows whether that was done.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from durable_django import signals
from durable_django.base import clock
from durable_django.base.texts import spoken_seconds
from durable_django.conf import durable_settings
from durable_django.models.fields import Literal
from durable_django.models.incident import Incident, IncidentQuerySet, Kind
from durable_django.models.queue import Queue
from durable_django.models.schedule import Schedule
from durable_django.models.standing import oldest_seconds
from durable_django.models.worker import Worker
from durable_django.models.workflow import Workflow

#: How often, about, somebody looks; each worker asks as often whether it is its turn.
_EVERY_SECONDS = 45.0
_FORGET_EVERY_SECONDS = 3600.0
#: What was not seen for so long is over: a queue about at its limit must not be told of again and again.
_QUIET_SECONDS = 150.0
#: Failures of the last so many seconds are one incident.
_FAILING_SECONDS = 600.0
_HIDDEN_SECONDS = 2 * _EVERY_SECONDS
_KEPT_SECONDS = 30 * 86400.0
_MOST = 1000


class Alerts:
    """The part of one worker process in watching over all."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._next_at = clock.elapsed_seconds() + _EVERY_SECONDS * random.random()  # noqa: S311 - spreads load
        self._forget_at = self._next_at

    def look_when_due(self) -> None:
        """Look for what is wrong if nobody has done so lately."""
        now = clock.elapsed_seconds()
        if now < self._next_at:
            return
        self._next_at = now + _EVERY_SECONDS
        if _incidents(self.alias).take_turn(_EVERY_SECONDS / 2):
            self.look()

    def look(self) -> None:
        """Tell of what is wrong and was not told of, and end what is over."""
        self.tell_of_lost_workers()
        self._tell_of_delays()
        self._tell_of_schedules()
        self._tell_of_failures()
        _incidents(self.alias).close(unseen_seconds=_QUIET_SECONDS)
        self._forget_when_due()

    def _forget_when_due(self) -> None:
        now = clock.elapsed_seconds()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_SECONDS
            _incidents(self.alias).forget(after_seconds=_KEPT_SECONDS)

    def tell_of_lost_workers(self) -> None:
        """Tell of those that nobody has told of."""
        tell_of_lost_workers(self.alias)

    def _tell_of_delays(self) -> None:
        """Look at all queues, also at those that this worker does not serve."""
        limit = float(durable_settings.QUEUE_DELAY_SECONDS)
        ages = oldest_seconds(Queue.objects.using(self.alias).open())
        late = {queue: seconds for queue, seconds in ages.items() if seconds > limit}
        messages = {queue: f"A workflow has stood in line for {spoken_seconds(late[queue])}." for queue in late}
        for queue in _news(self.alias, Kind.QUEUE_DELAYED, messages):
            signals.queue_delayed.send_robust(sender=None, queue=queue, delay_seconds=late[queue])

    def _tell_of_schedules(self) -> None:
        broken = Schedule.objects.using(self.alias).firing().broken().order_by("name")
        reasons = dict(broken.values_list("name", "error")[:_MOST])
        for name in _news(self.alias, Kind.SCHEDULE_BROKEN, reasons):
            signals.schedule_broken.send_robust(sender=None, schedule=name, reason=reasons[name])

    def _tell_of_failures(self) -> None:
        """Group what failed lately by name."""
        found = self._failed(_FAILING_SECONDS)
        if sum(map(len, found.values())) >= _MOST:
            # So many of some names hide the others; of those, what has come since the last looks is enough.
            found |= self._failed(_HIDDEN_SECONDS, besides=tuple(found))
        messages = {name: f"{len(ids)} failed, the last one was {ids[0]}." for name, ids in found.items()}
        for name in _news(self.alias, Kind.WORKFLOWS_FAILING, messages):
            count, last = len(found[name]), found[name][0]
            signals.workflows_failing.send_robust(sender=name, name=name, count=count, workflow_id=last)

    def _failed(self, seconds: float, besides: Collection[str] = ()) -> dict[str, list[str]]:
        """Return the ids of what failed lately, the last ones, by name (index durable_workflow_finished)."""
        failed = Workflow.objects.using(self.alias).filter(status=Literal("failed")).exclude(name__in=besides)
        lately = failed.filter(finished_at__gt=clock.Later(-seconds)).order_by("-finished_at")
        ids = defaultdict(list)
        for name, workflow_id in lately.values_list("name", "pk")[:_MOST]:
            ids[name].append(workflow_id)
        return dict(ids)


def tell_of_lost_workers(alias: str) -> None:
    """Tell of workers whose lease has passed without their doing; of those that others have told of, see to it."""
    rows = Worker.objects.using(alias)
    lost = {row.pk: row for row in rows.lost()[:_MOST]}
    messages = {pk: f"Process {row.pid} on {row.hostname} died, or was not heard of." for pk, row in lost.items()}
    for pk in _news(alias, Kind.WORKER_LOST, messages):
        signals.worker_lost.send_robust(sender=None, worker_id=pk, hostname=lost[pk].hostname, pid=lost[pk].pid)
    if lost:
        rows.filter(pk__in=_incidents(alias).of_which_others_know(Kind.WORKER_LOST).values("subject")).give_up()


def _news(alias: str, kind: Kind, messages: Mapping[str, str]) -> Iterator[str]:
    """
    Note what is wrong, a sentence by subject. Yield those of which it falls to this process to tell.

    When it asks for the next one, it has told of the last one.
    """
    incidents = _incidents(alias)
    known = incidents.note_again(kind, messages)
    for subject, message in messages.items():
        if subject not in known and incidents.note(kind, subject, message):
            yield subject
            incidents.told(kind, subject)


def _incidents(alias: str) -> IncidentQuerySet:
    rows: IncidentQuerySet = Incident.objects.using(alias)
    return rows
