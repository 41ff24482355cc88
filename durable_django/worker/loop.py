"""
The loop of a worker process: look, promote, claim, tidy, wait.

Polling is the truth, rings only shorten the wait. All it knows between two turns may be wrong by the next one; the
database decides in every claim.
"""

from __future__ import annotations

import random
import threading

from django.db import connections

from durable_django import signals
from durable_django.base import clock, registry
from durable_django.conf import durable_settings
from durable_django.engine import faults
from durable_django.engine.faults import Fault
from durable_django.models import limited_claims
from durable_django.models.claims import Wanted
from durable_django.models.limited_claims import Claimed
from durable_django.models.room import Round
from durable_django.models.workflow import Workflow
from durable_django.worker import hygiene
from durable_django.worker.heartbeat import Heartbeat
from durable_django.worker.janitor import Janitor
from durable_django.worker.lines import Lines
from durable_django.worker.looks import Line, Look, look
from durable_django.worker.options import WorkerOptions
from durable_django.worker.pools import Pools
from durable_django.worker.quiet import Quiet
from durable_django.worker.scheduler import Scheduler
from durable_django.worker.wake import Wake

#: After a ring the loop looks at once, but not more often than this.
_NEWS_SECONDS = 0.003
#: It looks again this often until it finds nothing: rings within wakeups.QUIET_SECONDS are skipped.
_ECHO_SECONDS = 0.015
#: While there is more to claim, look for free slots this often if there was none.
_FULL_SECONDS = 0.01
#: Then wait this long for more to become free: one claim of several costs as much as one of one.
_GATHER_SECONDS = 0.004


class Loop:
    """The turns of one worker process."""

    def __init__(self, alias: str, options: WorkerOptions, pools: Pools, heartbeat: Heartbeat, wake: Wake) -> None:
        self.alias = alias
        self.options = options
        self.pools = pools
        self.heartbeat = heartbeat
        self.wake = wake
        self.janitor = Janitor(alias)
        self.scheduler = Scheduler(alias)
        self.quiet = Quiet()
        self.claimed = 0
        self.is_idle = False
        self._lines = Lines()
        self._limited: frozenset[str] = frozenset()
        self._rung = threading.Event()
        self._has_news = threading.Event()
        self._has_waiting_suspect = False
        self._looked_at = -1.0
        self._next_look_at = 0.0
        self._failures = 0
        self._has_gathered = False

    def ring(self) -> None:
        """Note that there may be work; called from the threads that hear of it."""
        self._has_news.set()
        self._rung.set()
        self.wake.set()

    def turn(self) -> float:
        """Do one turn. Return the seconds to wait for the next one, unless `wake` is set before."""
        try:
            hygiene.close_old()
            seconds = self._turn()
            self._failures = 0
        except Exception as error:  # noqa: BLE001 - whatever a row holds must not end the process
            return self._rest(error)
        return seconds

    def may_claim(self, *, is_async: bool) -> int:
        """How many workflows may be claimed now: free slots, within max_workflows; none for the sake of a suspect."""
        return 0 if self.quiet.is_on else self._free(is_async=is_async)

    @property
    def _may_claim_any(self) -> bool:
        return any(self.may_claim(is_async=is_async) > 0 for is_async in (False, True))

    @property
    def _is_leaving(self) -> bool:
        return self.heartbeat.owner.leaving.is_set()

    def _free(self, *, is_async: bool) -> int:
        if self.heartbeat.owner.has_passed() or self._is_leaving:
            return 0
        free = self.pools.free(is_async=is_async)
        if self.options.max_workflows:
            free = min(free, self.options.max_workflows - self.claimed)
        return free

    def _turn(self) -> float:
        if self.heartbeat.owner.is_holding:
            # A write transaction of this process is open on SQLite; a claim would only wait for it, deaf to signals.
            return _ECHO_SECONDS
        self._let_in()
        now = clock.elapsed_seconds()
        if self._lines and now < self._next_look_at and not self.quiet.is_on:
            return self._claim_hot()
        if now < self._next_look_at and not self._must_look:
            return self._next_look_at - now
        pause = self._looked_at + (_NEWS_SECONDS if self._has_news.is_set() else _ECHO_SECONDS) - now
        if self._rung.is_set() and pause > 0:
            return pause
        return self._look()

    def _let_in(self) -> None:
        """Ask again where limits held back, if a workflow of that queue has ended here."""
        for queue in self.pools.released():
            if self._lines.let_in(queue):
                self._rung.set()

    @property
    def _must_look(self) -> bool:
        """Whether to look before the next poll: somebody rang, or nothing stands in a suspect's way any more."""
        has_become_idle = self._has_waiting_suspect and not self.pools.busy
        return has_become_idle or (self._rung.is_set() and self._may_claim_any)

    def _look(self) -> float:
        was_rung, has_news = self._rung.is_set(), self._has_news.is_set()
        self._rung.clear()
        self._has_news.clear()
        if has_news:
            self._lines.let_in()
        self._looked_at = clock.elapsed_seconds()
        found = look(self.alias, self.options.serves)
        changed = self.janitor.tidy(found, self.heartbeat.owner)
        changed += self.scheduler.fire(found.seconds_to_schedule)
        if found.is_timer_due:
            changed += Workflow.objects.using(self.alias).promote()
        self._see_to_suspects(found)
        self._put_aside_unknown(found)
        self._limited = found.limited
        # Lines that it will not claim from would keep it awake until it ends.
        self._lines.note({} if self._is_leaving else found.lines)
        is_resting = found.has_only_lines and self._lines.are_at_rest(found.lines)
        self.is_idle = not ((found.has_work and not is_resting) or changed or self.pools.busy)
        seconds = self._rest_after(found)
        if changed:
            self._next_look_at = self._looked_at
        elif not (self._lines and self._may_claim_any):
            if has_news or (was_rung and found.has_work):
                self._rung.set()
            return min(seconds, _ECHO_SECONDS) if has_news else seconds
        return 0.0

    def _put_aside_unknown(self, found: Look) -> None:
        """See to it that a worker that always has enough to claim does not read past the same strangers each time."""
        for line, name in found.lines.items():
            if not registry.workflows.knows(name):
                Workflow.objects.using(self.alias).put_aside(line.queue, names=registry.workflows.names())

    def _rest_after(self, found: Look) -> float:
        seconds = float(durable_settings.POLL_SECONDS) * (0.9 + 0.2 * random.random())  # noqa: S311 - spreads load
        if found.seconds_to_timer is not None:
            seconds = min(seconds, max(0.0, found.seconds_to_timer))
        if self.scheduler.seconds_to_next is not None:
            seconds = min(seconds, self.scheduler.seconds_to_next)
        self._next_look_at = clock.elapsed_seconds() + seconds
        return seconds

    def _claim_hot(self) -> float:
        """Claim from the next line that is known to have work; whether it had enough decides if it stays known."""
        line = self._next_line()
        if line is None:
            return _FULL_SECONDS
        if not self._is_roomy(line) and not self._has_gathered:
            self._has_gathered = True
            return _GATHER_SECONDS
        self._has_gathered = False
        limit = self._lines.share(line, self.may_claim(is_async=line.is_async))
        self._lines.take(line)
        wanted = self._wanted(line.queue, limit)._replace(is_async=line.is_async)
        claimed = self._claim(wanted, self._lines.round_of(line))
        self.claimed += len(claimed.workflows)
        owner = self.heartbeat.owner
        self.pools.of_kind(is_async=line.is_async).take(owner.take_up(claimed.workflows), owner)
        if len(claimed.workflows) == limit:
            self._lines.keep(line)
        elif self._lines.go_on(line, claimed.round):
            pass
        elif claimed.is_at_limit:
            pause = claimed.seconds or durable_settings.POLL_SECONDS
            seconds = self._lines.hold_back(line, pause, is_at_rest=claimed.is_at_rest)
            self._next_look_at = min(self._next_look_at, clock.elapsed_seconds() + seconds)
        else:
            # Nothing is left here, but a ring may have been skipped while the claim ran: look once more.
            self._rung.set()
        return 0.0

    def _wanted(self, queue: str, limit: int) -> Wanted:
        return Wanted(queue, limit, tuple(registry.workflows.names()))

    def _claim(self, wanted: Wanted, round_: Round | None = None) -> Claimed:
        worker_id = self.heartbeat.owner.worker_id
        if wanted.queue in self._limited:
            return limited_claims.claim(self.alias, worker_id, wanted, round_)
        rows = Workflow.objects.using(self.alias)
        if wanted.is_alone:
            return Claimed(rows.claim_suspect(worker_id, wanted.queue, names=wanted.names))
        return Claimed(rows.claim(worker_id, *wanted[:2], names=wanted.names, is_async=wanted.is_async))

    def _next_line(self) -> Line | None:
        """Return the next line whose pool has a free slot."""
        return next((line for line in self._lines if self.may_claim(is_async=line.is_async) > 0), None)

    def _is_roomy(self, line: Line) -> bool:
        pool = self.pools.of_kind(is_async=line.is_async)
        return pool.free * 2 >= pool.size

    @property
    def is_waiting_for_slots(self) -> bool:
        """Whether one free slot more makes no difference yet."""
        return bool(self._lines) and not any(self._is_roomy(line) for line in self._lines)

    def _see_to_suspects(self, found: Look) -> None:
        """Claim a workflow that must run alone if nothing runs here; else see to it that nothing does, for a while."""
        self._has_waiting_suspect = bool(found.suspect_queues and self.pools.busy)
        if not self._has_waiting_suspect:
            self._claim_suspect(found)
            self.quiet.end()
        elif not self.pools.is_alone:
            self.quiet.ask()

    def _claim_suspect(self, found: Look) -> None:
        for queue in found.suspect_queues if self._free(is_async=False) > 0 else ():
            claimed = self._claim(self._wanted(queue, 1)._replace(is_alone=True))
            for workflow in self.heartbeat.owner.take_up(claimed.workflows):
                self.claimed += 1
                self.pools.take_alone(workflow, self.heartbeat.owner)
                return

    def _rest(self, error: BaseException) -> float:
        self._failures += 1
        self.heartbeat.owner.has_strays.set()
        self._lines.forget()
        self._rung.set()
        if faults.classify(error) is Fault.PERMANENT:
            signals.worker_failed.send_robust(
                sender=None, worker_id=self.heartbeat.owner.worker_id, what="claiming workflows", error=error
            )
        delay = min(0.1 * 2 ** min(self._failures, 6), 2.0) * (0.5 + random.random())  # noqa: S311 - spreads load
        signals.database_away.send_robust(sender=None, what="claim workflows", error=error, delay_seconds=delay)
        connections[self.alias].close()
        self._looked_at = clock.elapsed_seconds()
        self._next_look_at = self._looked_at + delay
        threading.Event().wait(delay)
        return 0.0
