"""Dates and times: datetime, date, time, timedelta, with their zones."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Any

from durable_django.base.payloads.decoding import as_list, as_object, as_text, unpacks
from durable_django.base.payloads.packing import Packer, Tree, packs, tagged
from durable_django.base.payloads.refusals import Refusal

#: Keys of the IANA database; the look-up opens a file of this name.
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*")


@packs(dt.datetime)
def pack_datetime(packer: Packer, value: dt.datetime) -> Tree:
    """Write ISO 8601 where that says all, else an object with zone and fold beside it."""
    return tagged("datetime", _pack_clock(packer, value))


@unpacks("datetime")
def unpack_datetime(content: object) -> dt.datetime:
    """Put text, zone and fold together."""
    text, zone, fold = _read_clock(content)
    moment = dt.datetime.fromisoformat(text)
    return moment.replace(tzinfo=zone or moment.tzinfo, fold=fold)


@packs(dt.time)
def pack_time(packer: Packer, value: dt.time) -> Tree:
    """See pack_datetime()."""
    return tagged("time", _pack_clock(packer, value))


@unpacks("time")
def unpack_time(content: object) -> dt.time:
    """See unpack_datetime()."""
    text, zone, fold = _read_clock(content)
    moment = dt.time.fromisoformat(text)
    return moment.replace(tzinfo=zone or moment.tzinfo, fold=fold)


@packs(dt.date)
def pack_date(_packer: Packer, value: dt.date) -> Tree:
    """Write ISO 8601."""
    return tagged("date", value.isoformat())


@unpacks("date")
def unpack_date(content: object) -> dt.date:
    """Read ISO 8601."""
    return dt.date.fromisoformat(as_text(content))


@packs(dt.timedelta)
def pack_timedelta(_packer: Packer, value: dt.timedelta) -> Tree:
    """Write the three integers that it consists of."""
    return tagged("timedelta", _duration(value))


@unpacks("timedelta")
def unpack_timedelta(content: object) -> dt.timedelta:
    """Put days, seconds and microseconds together."""
    days, seconds, microseconds = as_list(content, 3)
    return dt.timedelta(days, seconds, microseconds)


def _pack_clock(packer: Packer, value: dt.datetime | dt.time) -> Tree:
    zone = _zone_facts(value.tzinfo)
    packer.spend(len(zone))
    if not zone and not value.fold:
        return value.isoformat()
    text = value.replace(tzinfo=None).isoformat() if zone else value.isoformat()
    return {"at": text, **zone, **({"fold": 1} if value.fold else {})}


def _read_clock(content: object) -> tuple[str, dt.tzinfo | None, int]:
    if type(content) is str:
        return content, None, 0
    facts = as_object(content)
    unknown = facts.keys() - {"at", "zone", "offset", "name", "fold"}
    if unknown:
        raise ValueError(f"unknown keys {unknown}")
    return as_text(facts["at"]), _read_zone(facts), facts.get("fold", 0)


def _zone_facts(zone: dt.tzinfo | None) -> dict[str, Any]:
    """Return what ISO 8601 does not say: nothing for naive times and whole seconds from UTC."""
    if zone is None:
        return {}
    if type(zone) is zoneinfo.ZoneInfo and zone.key and _ZONE_KEY.fullmatch(zone.key):
        return {"zone": zone.key}
    if type(zone) is not dt.timezone:
        raise Refusal(
            f"its tzinfo is {zone!r:.100}, which has no name to be found again by.",
            "Use zoneinfo.ZoneInfo or datetime.timezone: value.astimezone(ZoneInfo('Europe/Berlin')).",
        )
    return _fixed_offset(zone)


def _fixed_offset(zone: dt.timezone) -> dict[str, Any]:
    offset = zone.utcoffset(None)
    name = zone.tzname(None)
    if name != dt.timezone(offset).tzname(None):
        return {"offset": _duration(offset), "name": name}
    # datetime.fromisoformat() of Python 3.11 reads +00:00:00.000001 as UTC.
    return {"offset": _duration(offset)} if offset.microseconds else {}


def _read_zone(facts: dict[str, Any]) -> dt.tzinfo | None:
    if "zone" in facts:
        key = as_text(facts["zone"])
        if not _ZONE_KEY.fullmatch(key):
            raise ValueError(f"{key!r:.100} is not the name of a time zone")
        return zoneinfo.ZoneInfo(key)
    if "offset" not in facts:
        return None
    offset = unpack_timedelta(facts["offset"])
    return dt.timezone(offset, as_text(facts["name"])) if "name" in facts else dt.timezone(offset)


def _duration(value: dt.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]
