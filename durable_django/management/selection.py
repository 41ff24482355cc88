"""Which workflows a command is about: ids, or the filters that `durable list` and the bulk verbs share."""

from __future__ import annotations

import argparse
import json
import re
from datetime import timedelta
from typing import Any

from durable_django.base.clock import Later
from durable_django.models.status import Status
from durable_django.models.workflow_queryset import WorkflowQuerySet

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FILTERS = ("status", "name", "queue", "id_prefix", "newer_than", "older_than", "attribute")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Declare the filters; given together they must all hold."""
    group = parser.add_argument_group("filters")
    group.add_argument("--status", action="append", choices=Status.values, help="may be given several times")
    group.add_argument("--name", help="of the workflow, as shop.checkout")
    group.add_argument("--queue")
    group.add_argument("--id-prefix", help="beginning of the id")
    group.add_argument("--newer-than", type=duration, help="started within so long: 30m, 2h, 7d")
    group.add_argument("--older-than", type=duration, help="started longer ago: 30m, 2h, 7d")
    group.add_argument(
        "--attribute", type=attribute, action="append", metavar="KEY=VALUE", help="VALUE is JSON, or else text"
    )


def is_filtered(options: dict[str, Any]) -> bool:
    """Whether any filter was given."""
    return any(options.get(name) for name in _FILTERS)


def select(rows: WorkflowQuerySet, options: dict[str, Any]) -> WorkflowQuerySet:
    """Return the workflows that the filters leave."""
    plain = {"status__in": "status", "name": "name", "queue": "queue"}
    conditions: dict[str, Any] = {lookup: options[key] for lookup, key in plain.items() if options.get(key)}
    if options.get("newer_than"):
        conditions["created_at__gte"] = Later(-options["newer_than"].total_seconds())
    if options.get("older_than"):
        conditions["created_at__lt"] = Later(-options["older_than"].total_seconds())
    if options.get("id_prefix"):
        # A range, which the primary key serves on both databases; LIKE ignores case on SQLite.
        conditions["pk__gte"] = options["id_prefix"]
        conditions["pk__lt"] = options["id_prefix"] + "\U0010ffff"
    rows = rows.filter(**conditions)
    for key, value in options.get("attribute") or ():
        # The key is one plain word: it can name nothing but a key of the JSON object.
        rows = rows.filter(**{f"attributes__{key}": value})
    return rows


def duration(text: str) -> timedelta:
    """Return '90s', '30m', '2h', '7d' or '2w' as a timedelta, for argparse."""
    match = _DURATION.fullmatch(text)
    if match is None:
        message = f"expected a number and one of s, m, h, d, w, as in 30m or 7d, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def attribute(text: str) -> tuple[str, Any]:
    """Return 'key=value' as a pair, for argparse; the value is read as JSON, else taken as text."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier() or "__" in key:
        message = f"expected KEY=VALUE with a plain word as key, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
