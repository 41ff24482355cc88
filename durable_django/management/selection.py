"""Which workflows a command is about: the ids, or the filters that `durable list` and the bulk verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Case, Q, QuerySet, Value, When
from django.db.models.fields.json import KeyTransform

from durable_django.base import registry
from durable_django.base.texts import plain
from durable_django.engine import context
from durable_django.management import arguments
from durable_django.models.status import Status
from durable_django.models.workflow import Workflow
from durable_django.models.workflow_queryset import WorkflowQuerySet

_FILTERS = ("status", "name", "queue", "application", "version", "id_prefix", "since", "until", "attribute")
#: Filters that are columns, of which one of several values must hold.
_COLUMNS = ("status", "name", "queue", "application", "version")
#: Ids in one statement: SQLite takes some ten thousand parameters, PostgreSQL 65,535.
_IDS_PER_STATEMENT = 5000
_MOST_NAMED = 10
_LAST_CHARACTER = "\U0010ffff"


def workflows() -> WorkflowQuerySet:
    """Return all workflows, on the database that decides."""
    rows: WorkflowQuerySet = Workflow.objects.using(context.alias_of_workflows())
    return rows


def add_filters(parser: argparse.ArgumentParser, *, has_age: bool = True) -> None:
    """
    Declare the filters; given together they must all hold.

    has_age  whether --newer-than and --older-than are other words for --since and --until, from the creation on
    """
    group = parser.add_argument_group("filters", "Given together, all must hold.")
    group.add_argument("--status", action="append", choices=Status.values, help="several: one of them")
    group.add_argument("--name", action="append", type=arguments.text, help="as shop.checkout; several: one of them")
    group.add_argument("--queue", action="append", type=arguments.text, help="several: one of them")
    group.add_argument(
        "--application", action="append", type=arguments.text, metavar="NAME", help="of the project that started it"
    )
    group.add_argument(
        "--version", action="append", type=arguments.text, metavar="TEXT", help="as in @workflow(version=)"
    )
    group.add_argument("--id-prefix", type=arguments.text, metavar="TEXT", help="beginning of the id")
    group.add_argument(
        *("--since", "--newer-than")[: 1 + has_age],
        type=arguments.moment,
        metavar="WHEN",
        help="created since then: 30m, 2h or 7d ago, or a moment such as 2026-12-24T18:00",
    )
    group.add_argument(
        *("--until", "--older-than")[: 1 + has_age],
        type=arguments.moment,
        metavar="WHEN",
        help="created until then, as --since",
    )
    group.add_argument(
        "--attribute",
        action="append",
        type=_attribute,
        metavar="KEY=VALUE",
        help="VALUE is JSON or text; several: all of them",
    )


def is_filtered(options: dict[str, Any]) -> bool:
    """Whether any filter was given."""
    return any(options.get(name) is not None for name in _FILTERS)


def select(options: dict[str, Any]) -> QuerySet[Workflow]:
    """Return the workflows that the filters leave."""
    rows: QuerySet[Workflow] = workflows().filter(**_columns(options), **_created(options))
    if options.get("id_prefix"):
        rows = beginning_with(rows, options["id_prefix"])
    for number, (key, values) in enumerate(options.get("attribute") or ()):
        # Not as attributes__<key>: a key may be called like a lookup, or hold anything.
        name = f"attribute_{number}"
        rows = rows.alias(**{name: KeyTransform(key, "attributes")})
        rows = rows.filter(Q(*[Q((name, value)) for value in values], _connector=Q.OR))
    return rows


def beginning_with(rows: QuerySet[Workflow], prefix: str) -> QuerySet[Workflow]:
    """Return those whose id begins so: a range, which the primary key serves; LIKE ignores case on SQLite."""
    return rows.filter(pk__gte=prefix, pk__lt=f"{prefix}{_LAST_CHARACTER}")


def by_ids(ids: Sequence[str]) -> list[tuple[str, str]]:
    """
    Return id and status of these workflows, each once, in the order given; of a bare row "pruned".

    Raises CommandError, naming them, if some do not exist.
    """
    wanted = list(dict.fromkeys(ids))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _IDS_PER_STATEMENT):
        some = workflows().filter(pk__in=wanted[start : start + _IDS_PER_STATEMENT])
        is_pruned = When(pruned_at__isnull=False, then=Value("pruned"))
        found.update(some.values_list("pk", Case(is_pruned, default="status")))
    missing = [each for each in wanted if each not in found]
    if missing:
        raise not_found(missing)
    return [(each, found[each]) for each in wanted]


def not_found(ids: Sequence[str]) -> CommandError:
    """Return the error for ids that nobody has: which, and whose id begins like the first one."""
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    shown = ", ".join(map(plain, ids[:_MOST_NAMED])) + more
    begun = list(beginning_with(workflows(), ids[0]).order_by("pk").values_list("pk", flat=True)[:3])
    if begun:
        return CommandError(f"There is no workflow {shown}. Did you mean {' or '.join(map(plain, begun))}?")
    return CommandError(f"There is no workflow {shown}. See: manage.py durable list --id-prefix {plain(ids[0])[:8]}")


def hints(options: dict[str, Any]) -> str:
    """Return what may be wrong with filters that leave nothing: names that the code does not know."""
    names = [each for each in options.get("name") or () if not registry.workflows.knows(each)]
    queues = [each for each in options.get("queue") or () if each not in registry.queues.names()]
    sentences = [
        f"No loaded code has a workflow {plain(each)!r}.{registry.nearest(each, registry.workflows.names())}"
        for each in names
    ]
    sentences += [
        f"No loaded code declares a queue {plain(each)!r}.{registry.nearest(each, registry.queues.names())}"
        for each in queues
    ]
    return " ".join(sentences)


def _columns(options: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}__in": options[name] for name in _COLUMNS if options.get(name)}


def _created(options: dict[str, Any]) -> dict[str, Any]:
    bounds = {"created_at__gte": options.get("since"), "created_at__lte": options.get("until")}
    return {lookup: bound for lookup, bound in bounds.items() if bound is not None}


def _attribute(given: str) -> tuple[str, list[Any]]:
    """Return the key and the values that count as equal: what the text says as JSON, and the text itself."""
    key, value = arguments.attribute(given)
    if key.lstrip("-").isdigit():
        message = f"expected a key that is not a number (the database takes it for a place in a list), got {key!r}"
        raise argparse.ArgumentTypeError(message)
    said = given.partition("=")[2]
    return key, [value] if value == said else [value, said]
