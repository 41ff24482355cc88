"""
Cron text and a time zone -> ticks, the UTC instants at which a schedule fires; around croniter.

croniter only says which local times the text means, on a calendar without zones. What becomes of local times that the
clocks skip or repeat is decided here, since croniter fires a daily job twice when clocks go back.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter

_SECOND = timedelta(seconds=1)
#: February 29 on a chosen day of the week comes back after 40 years at the latest.
_LONGEST_YEARS = 45
#: Offsets of a zone are compared so far apart; no zone changes its clocks and changes them back within a day.
_PROBE = timedelta(days=1)
_FIELDS = {5: "minute, hour, day, month, weekday", 6: "second, minute, hour, day, month, weekday"}
_HOUR_FROM_THE_END = -4
_HOURS = 24
_NAMES = re.compile(r"JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT|L", re.IGNORECASE)
_FIELD = re.compile(r"[0-9*,/?#-]*", re.ASCII)


class Cron:
    """
    When a schedule fires.

    text      five fields (minute, hour, day, month, weekday), or six with the second first. Names, ranges, steps,
              lists; `L` for the last day of a month, `L5` for its last Friday, `5#2` for its second. If both day and
              weekday are restricted, either of them will do, as in crontab
    timezone  IANA name

    A schedule that names hours goes by the clock on the wall: a local time that is repeated counts once, the first
    time; of those that are skipped, one tick comes at the next valid minute. One whose hour is `*` or `*/n`, or names
    all 24, goes by the time that passes: it fires in both of two repeated hours, and in none that is skipped.

    Ticks are aware datetimes in UTC, in whole seconds. Raises ValueError for a text or a zone that cannot be read, and
    for a text that means no date at all, such as February 30.
    """

    def __init__(self, text: str, timezone: str) -> None:
        self.text, self.timezone = text, timezone
        self.zone = read_zone(timezone)
        fields = _read_fields(text)
        # croniter keeps its place in itself, and threads share what read() has made.
        self._lock = threading.Lock()
        try:
            self._local = croniter(
                " ".join(fields),
                datetime(2024, 1, 1),  # noqa: DTZ001 - local times have no zone yet
                ret_type=datetime,
                second_at_beginning=True,
                max_years_between_matches=_LONGEST_YEARS,
            )
            self._next_local(datetime(2024, 1, 1))  # noqa: DTZ001
        except CroniterBadDateError:
            message = f"The schedule {text!r} never fires: no date has this day, month and weekday."
            raise ValueError(message) from None
        except (CroniterError, ValueError, KeyError, TypeError) as error:
            message = f"The schedule {text!r} cannot be read: {error}. Fields: {_FIELDS[len(fields)]}."
            raise ValueError(message) from None
        hours = self._local.expanded[1]
        self.names_hours = not (fields[_HOUR_FROM_THE_END].startswith("*") or hours == ["*"] or len(hours) == _HOURS)

    def next_after(self, after: datetime) -> datetime:
        """Return the first tick strictly after an aware moment."""
        at = known = after.astimezone(UTC)
        offset = self._offset(at)
        while True:
            local = self._next_local((at + offset).replace(tzinfo=None))
            tick = local.replace(tzinfo=UTC) - offset
            change = self._next_change(known, tick, offset)
            if change is None and not (self.names_hours and tick.astimezone(self.zone).fold):
                return tick
            if change is None:
                at, known = self._end_of_repetition(tick) - _SECOND, tick
                continue
            offset = self._offset(change)
            if self.names_hours and local < (change + offset).replace(tzinfo=None):
                # It is among the local times that are skipped.
                return change
            # On from the second before the change, but in the local time that begins with it.
            at, known = change - _SECOND, change

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """Return the last tick in (after, until], None if there is none; in some thirty looks, however long it is."""
        first = self.next_after(after)
        if first > until:
            return None
        low, high = first, until
        while (gap := high - low) >= _SECOND:
            middle = low + gap / 2
            found = self.next_after(middle)
            if found <= until:
                low = found
            else:
                high = middle
        return low

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the ticks in (after, until], in order."""
        while after < until and (after := self.next_after(after)) <= until:
            yield after

    def newest(self, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """Return the last ticks in (after, until], at most `limit`, in order; at a cost that the limit bounds."""
        span = _SECOND
        start = max(after, until - span)
        while start > after and len(list(islice(self.between(start, until), limit))) < limit:
            span *= 2
            start = after if until - after <= span else until - span
        return list(deque(self.between(start, until), maxlen=limit))

    def _next_local(self, after: datetime) -> datetime:
        with self._lock:
            found: datetime = self._local.get_next(start_time=after)
        return found

    def _offset(self, instant: datetime) -> timedelta:
        return _offset_of(instant.astimezone(self.zone))

    def _next_change(self, after: datetime, until: datetime, offset: timedelta) -> datetime | None:
        """Return the first instant in (after, until] with another offset than the one at `after`, None without one."""
        while after < until:
            behind = min(after + _PROBE, until)
            if self._offset(behind) != offset:
                return self._bisect(after, behind)
            after = behind
        return None

    def _bisect(self, low: datetime, high: datetime) -> datetime:
        """Return the first whole second in (low, high] with the offset of `high`; that of `low` is another one."""
        low = low.replace(microsecond=0)
        before = self._offset(low)
        while high - low > _SECOND:
            middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
            if self._offset(middle) == before:
                low = middle
            else:
                high = middle
        return high

    def _end_of_repetition(self, tick: datetime) -> datetime:
        """Return the instant from which on local times are new again; the tick's own is there for the second time."""
        local = tick.astimezone(self.zone)
        repeated = _offset_of(local.replace(fold=0)) - _offset_of(local)
        return self._bisect(tick - repeated, tick) + repeated


def _offset_of(local: datetime) -> timedelta:
    # A moment in a ZoneInfo always has one.
    return local.utcoffset() or timedelta(0)


@lru_cache(maxsize=1024)
def read(text: str, timezone: str) -> Cron:
    """Return what a text means in a zone; see Cron. Made once for each pair. Raises ValueError."""
    return Cron(text, timezone)


def read_zone(name: str) -> ZoneInfo:
    """Return the zone of an IANA name. Raises ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):
        message = f"There is no time zone {name!r}. Write an IANA name such as 'Europe/Berlin'."
        raise ValueError(message) from None


def _read_fields(text: str) -> list[str]:
    fields = str(text).split()
    if len(fields) not in _FIELDS:
        message = (
            f"A schedule has five fields ({_FIELDS[5]}), or six with the second first, got {text!r}. "
            "Daily at half past two: '30 2 * * *'."
        )
        raise ValueError(message)
    for field in fields:
        if not _FIELD.fullmatch(_NAMES.sub("", field)):
            message = (
                f"The schedule {text!r} cannot be read: {field!r} is no number, name, range, step or list. "
                f"Fields: {_FIELDS[len(fields)]}."
            )
            raise ValueError(message)
    return fields
