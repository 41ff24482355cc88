"""The scheduler: what a worker's loop does about schedules that are due. Every worker runs it; none leads."""

from __future__ import annotations

import random

from durable_django.base import clock, registry
from durable_django.conf import durable_settings
from durable_django.engine import firing
from durable_django.models.schedule import Schedule

#: So many schedules are fired between two claims.
_BATCH = 20
#: When others have fired what is due, look again after up to so long: all workers wake for the same tick.
_SPREAD_SECONDS = 0.05
_UNKNOWN_SECONDS = 30.0


class Scheduler:
    """The schedules, as one worker process sees them."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        #: Until the next one has to be looked at; None without any.
        self.seconds_to_next: float | None = None
        self._again_at = 0.0
        self._unknown_marked_at = -_UNKNOWN_SECONDS

    def fire(self, seconds_to_schedule: float | None) -> int:
        """
        Fire what is due. Return how many schedules were dealt with; if there are any, more may be due.

        seconds_to_schedule  as the look has found it: for the next schedule of all, also of those that only workers
                             with other code can fire
        """
        self.seconds_to_next = seconds_to_schedule
        if seconds_to_schedule is None or seconds_to_schedule > 0:
            return 0
        now = clock.elapsed_seconds()
        if now < self._again_at:
            self.seconds_to_next = self._again_at - now
            return 0
        return self._fire_known()

    def _fire_known(self) -> int:
        names = registry.workflows.names()
        known = Schedule.objects.using(self.alias).next_known(names, _BATCH)
        due = [pk for pk, seconds in known if seconds <= 0]
        # Workers that begin with the same one would find it held, one after the other.
        random.shuffle(due)
        count = sum(firing.fire(self.alias, pk) for pk in due)
        if not due:
            self._mark_unknown(names)
            pause = min([float(durable_settings.POLL_SECONDS), *(seconds for _pk, seconds in known[:1])])
        else:
            pause = 0.0 if count else _SPREAD_SECONDS * (0.5 + 0.5 * random.random())  # noqa: S311 - spreads load
        self.seconds_to_next = pause
        self._again_at = clock.elapsed_seconds() + pause
        return count

    def _mark_unknown(self, names: list[str]) -> None:
        """Say so in the rows of those that are long due because nobody knows their workflow."""
        if clock.elapsed_seconds() - self._unknown_marked_at >= _UNKNOWN_SECONDS:
            self._unknown_marked_at = clock.elapsed_seconds()
            Schedule.objects.using(self.alias).mark_unknown(names)
