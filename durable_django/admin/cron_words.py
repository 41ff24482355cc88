"""
Cron text in words: "30 2 * * *" is every day at 02:30.

Only for what people write often; of anything else nothing is said, since the text is shown beside it. Every phrase is a
whole one, so that it can be translated: one says on which days, one at which times, and one joins the two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext

#: More times than these are no sentence any more.
_MOST_TIMES = 6
_MINUTES, _HOURS, _DAYS, _MONTHS, _LAST_WEEKDAY = (0, 59), (0, 23), (1, 31), (1, 12), (0, 7)
_STEP = re.compile(r"\*/(\d+)$")
_RANGE = re.compile(r"(\w+)-(\w+)$")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORKDAYS, _WEEKEND = (1, 2, 3, 4, 5), (0, 6)


def words_of(text: str) -> str:
    """Return what a cron text means in words; empty for one that has no simple words."""
    fields = text.split()
    if len(fields) == 6 and fields[0] == "0":  # noqa: PLR2004 - with seconds
        fields = fields[1:]
    if len(fields) != 5:  # noqa: PLR2004 - minute, hour, day, month, weekday
        return ""
    minute, hour, day, month, weekday = fields
    try:
        times, days = _times(minute, hour), _days(day, month, weekday)
    except ValueError:
        return ""
    is_all_day = hour == "*" or bool(_step(hour))
    if is_all_day and days == gettext("every day"):
        # To say "every day, every hour" would be to say it twice.
        return times
    return gettext("%(days)s, %(times)s") % {"days": days, "times": times}


def _times(minute: str, hour: str) -> str:
    """Return at which times of a day it fires. Raises ValueError if that has no simple words."""
    minute_step, hour_step = _step(minute), _step(hour)
    if hour == "*":
        return _within_hours(minute, minute_step)
    minutes = () if minute_step else _numbers(minute, *_MINUTES)
    if hour_step and minutes == [0] and 24 % hour_step == 0:
        return ngettext("every hour", "every %(n)d hours", hour_step) % {"n": hour_step}
    if hour_step and len(minutes) == 1 and 24 % hour_step == 0:
        text = ngettext("at minute %(minute)d of every hour", "at minute %(minute)d of every %(n)d hours", hour_step)
        return text % {"minute": minutes[0], "n": hour_step}
    if hour_step:
        raise ValueError(hour)
    hours = _numbers(hour, *_HOURS)
    if minute_step:
        return _between(minute_step, hours)
    if len(hours) * len(minutes) > _MOST_TIMES:
        return _at_hours(minutes, hours)
    return gettext("at %(times)s") % {"times": _listed([f"{h:02}:{m:02}" for h, m in product(hours, minutes)])}


def _within_hours(minute: str, step: int) -> str:
    if minute == "*" or step == 1:
        return gettext("every minute")
    if step:
        if 60 % step:
            raise ValueError(minute)
        return ngettext("every minute", "every %(n)d minutes", step) % {"n": step}
    minutes = _numbers(minute, *_MINUTES)
    if minutes == [0]:
        return ngettext("every hour", "every %(n)d hours", 1)
    text = ngettext("at minute %(minutes)s of every hour", "at minutes %(minutes)s of every hour", len(minutes))
    return text % {"minutes": _listed([str(each) for each in minutes])}


def _between(step: int, hours: Sequence[int]) -> str:
    if list(hours) != list(range(hours[0], hours[-1] + 1)) or 60 % step:
        raise ValueError(step)
    text = ngettext("every minute from %(first)s to %(last)s", "every %(n)d minutes from %(first)s to %(last)s", step)
    return text % {"n": step, "first": f"{hours[0]:02}:00", "last": f"{hours[-1]:02}:{60 - step:02}"}


def _at_hours(minutes: Sequence[int], hours: Sequence[int]) -> str:
    if len(minutes) > 1 or list(hours) != list(range(hours[0], hours[-1] + 1)):
        raise ValueError(hours)
    facts = {"first": f"{hours[0]:02}:{minutes[0]:02}", "last": f"{hours[-1]:02}:{minutes[0]:02}"}
    return gettext("every hour from %(first)s to %(last)s") % facts


def _days(day: str, month: str, weekday: str) -> str:
    """Return on which days it fires. Raises ValueError if that has no simple words."""
    which = _which_days(day, weekday)
    if month == "*":
        return which
    months = [str(MONTHS[each]) for each in _numbers(month, *_MONTHS, names=_MONTH_NAMES, first_name=1)]
    return gettext("%(days)s in %(months)s") % {"days": which, "months": _listed(months)}


def _which_days(day: str, weekday: str) -> str:
    if day == weekday == "*":
        return gettext("every day")
    if weekday == "*":
        return _days_of_month(day)
    if day == "*":
        return _weekdays(weekday)
    # Either of them will do, as in crontab.
    return gettext("%(days)s and %(weekdays)s") % {"days": _days_of_month(day), "weekdays": _weekdays(weekday)}


def _days_of_month(day: str) -> str:
    if day.lower() == "l":
        return gettext("on the last day of the month")
    days = _numbers(day, *_DAYS)
    text = ngettext("on day %(days)s of the month", "on days %(days)s of the month", len(days))
    return text % {"days": _listed([str(each) for each in days])}


def _weekdays(weekday: str) -> str:
    numbers = _numbers(weekday, *_LAST_WEEKDAY, names=_WEEKDAY_NAMES)
    days = tuple(sorted({each % 7 for each in numbers}))
    if days == _WORKDAYS:
        return gettext("from Monday to Friday")
    if days == _WEEKEND:
        return gettext("on Saturday and Sunday")
    if len(days) == len(_WEEKDAY_NAMES):
        return gettext("every day")
    # Django counts from Monday; the week of a reader, too, does not end with its first day.
    named = [str(WEEKDAYS[each]) for each in sorted((each - 1) % 7 for each in days)]
    return gettext("on %(weekdays)s") % {"weekdays": _listed(named)}


def _step(field: str) -> int:
    found = _STEP.match(field)
    return int(found[1]) if found else 0


def _numbers(field: str, lowest: int, highest: int, names: Sequence[str] = (), first_name: int = 0) -> list[int]:
    """Return the numbers that a list of numbers, names and ranges means. Raises ValueError for anything else."""
    found: set[int] = set()
    for part in field.lower().split(","):
        bounds = _RANGE.match(part)
        first, last = (_number(each, names, first_name) for each in (bounds.groups() if bounds else (part, part)))
        if not lowest <= first <= last <= highest:
            raise ValueError(field)
        found.update(range(first, last + 1))
    return sorted(found)


def _number(text: str, names: Sequence[str], first_name: int) -> int:
    if text in names:
        return names.index(text) + first_name
    if not text.isascii():
        raise ValueError(text)
    return int(text)


def _listed(words: Sequence[str]) -> str:
    return get_text_list(list(words), gettext("and"))
