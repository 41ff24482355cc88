"""Which ticks of a schedule fire now: on time, or caught up with. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from durable_django.base.cron import Cron

#: A tick is missed when nobody has fired it for so long; until then it is only late.
MISSED_SECONDS = 60
#: catch_up="all" goes back no further than so many ticks.
MOST_CAUGHT_UP = 1000

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Due:
    """
    What a schedule has to fire.

    ticks    in order
    skipped  the first and the last of the missed ticks that do not fire; None if there are none
    """

    ticks: tuple[datetime, ...] = ()
    skipped: tuple[datetime, datetime] | None = None

    @property
    def last(self) -> datetime | None:
        """The last tick that is dealt with: fired or skipped."""
        known = [*self.ticks, *(self.skipped or ())]
        return max(known) if known else None


def due(cron: Cron, *, after: datetime, until: datetime, catch_up: str, missed_until: datetime | None = None) -> Due:
    """
    Return what fires of the ticks in (after, until].

    after         the last tick that was dealt with
    until         now
    catch_up      what becomes of missed ticks. "skip": nothing. "latest": the newest fires, unless a later one is on
                  time. "all": each fires, of more than 1,000 the newest
    missed_until  ticks up to here are missed, however young they are
    """
    border = max(after, until - timedelta(seconds=MISSED_SECONDS), missed_until or after)
    border = min(border, until)
    on_time = list(cron.between(border, until))
    caught_up = _caught_up(cron, after, border, catch_up, len(on_time))
    behind = caught_up[0] - _SECOND if caught_up else border
    return Due((*caught_up, *on_time), _span(cron, after, behind))


def _caught_up(cron: Cron, after: datetime, border: datetime, catch_up: str, on_time: int) -> list[datetime]:
    if catch_up == "all":
        return cron.newest(after, border, MOST_CAUGHT_UP - on_time)
    newest = cron.latest(after, border) if catch_up == "latest" and not on_time else None
    return [] if newest is None else [newest]


def _span(cron: Cron, after: datetime, until: datetime) -> tuple[datetime, datetime] | None:
    last = cron.latest(after, until) if after < until else None
    return None if last is None else (cron.next_after(after), last)


def jitter(name: str, tick: datetime, longest_seconds: float) -> timedelta:
    """Return by how much the run of a tick is put off: from 0 to the longest, the same for all who ask."""
    digest = hashlib.blake2b(f"{name}\0{tick.isoformat()}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return timedelta(seconds=longest_seconds * int.from_bytes(digest, "big") / 2**64)


def workflow_id(name: str, tick: datetime) -> str:
    """Return the id of the workflow that a tick starts: its idempotency key."""
    return f"schedule:{name}:{tick:%Y-%m-%dT%H:%M:%SZ}"
