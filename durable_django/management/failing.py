"""What fails, in groups: by workflow, step and type of the error, as read for people."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Greatest, StrIndex, Substr

from durable_django.base.clock import Later
from durable_django.engine import context
from durable_django.models.fields import Literal
from durable_django.models.step import Step
from durable_django.models.workflow import Workflow

#: Failures that are looked at, the newest: more would take too long to be grouped.
MOST_SEEN = 10_000
#: Groups that are shown, the most frequent.
MOST_GROUPS = 100
#: Failures whose types a filter offers.
_MOST_RECENT = 500
#: So much of an error holds its type and the beginning of its message (characters).
_HEAD = 400
_BEGINNING = '{"type":"'
_MESSAGE = re.compile(r'"message":"((?:[^"\\]|\\.)*)')
#: An escape of JSON that a cut has halved.
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?$")


@dataclass(frozen=True)
class Failure:
    """
    A group of failures.

    step        the last step with an error; empty if none has one
    error_type  as module:name; empty if it cannot be read
    message     of one of them, perhaps only its beginning
    """

    workflow: str
    step: str
    error_type: str
    message: str
    count: int
    first_at: datetime
    last_at: datetime
    example: str


@dataclass(frozen=True)
class Failures:
    """
    The groups, the most frequent first.

    seen_since  earlier ones are missing, since there are so many; None if nothing is missing
    """

    groups: list[Failure]
    seen_since: datetime | None


def group(seconds: float) -> Failures:
    """Return what has failed in the last seconds: three queries, of at most MOST_SEEN failures."""
    rows = Workflow.objects.using(context.alias_of_workflows())
    failed = rows.filter(status=Literal("failed"), finished_at__isnull=False, finished_at__gte=Later(-seconds))
    moments = failed.order_by("-finished_at").values_list("finished_at", flat=True)
    seen_since: datetime | None = moments[MOST_SEEN : MOST_SEEN + 1].first()
    if seen_since:
        failed = failed.filter(finished_at__gt=seen_since)
    grouped = list(_grouped(failed).order_by("-count", "-last_at")[:MOST_GROUPS])
    examples = rows.filter(pk__in=[found["example"] for found in grouped])
    heads = dict(examples.values_list("pk", Substr("error", 1, _HEAD)))
    return Failures([_failure(found, heads.get(found["example"]) or "") for found in grouped], seen_since)


def recent_types() -> list[str]:
    """Return the types of the newest failures, in the order of the alphabet (index durable_workflow_finished)."""
    rows = Workflow.objects.using(context.alias_of_workflows())
    failed = rows.filter(status=Literal("failed"), finished_at__isnull=False).order_by("-finished_at")
    found = failed.annotate(error_type=_type_of_error()).values_list("error_type", flat=True)[:_MOST_RECENT]
    return sorted({_read(each) for each in found if each})


def beginning_of(error_type: str) -> str:
    """Return how the stored text of an error of a type begins."""
    return f'{_BEGINNING}{json.dumps(error_type)[1:-1]}"'


def _grouped(failed: QuerySet[Workflow]) -> Any:
    """Group by name, last step with an error (index durable_step_key), and the type that the error begins with."""
    steps = Step.objects.using(failed.db).filter(workflow=OuterRef("pk"), error__isnull=False)
    last = steps.order_by("-branch", "-position").values("name")[:1]
    return (
        failed.order_by()
        .annotate(step=Subquery(last), error_type=_type_of_error())
        .values("name", "step", "error_type")
        .annotate(count=Count("pk"), first_at=Min("finished_at"), last_at=Max("finished_at"), example=Max("pk"))
    )


def _type_of_error() -> Any:
    """Return what stands between the beginning and the next quotation mark."""
    head = Substr("error", len(_BEGINNING) + 1, _HEAD)
    # PostgreSQL refuses a negative length.
    return Substr(head, 1, Greatest(StrIndex(head, Value('"')) - 1, 0))


def _failure(found: dict[str, Any], head: str) -> Failure:
    message = _MESSAGE.search(head)
    return Failure(
        workflow=found["name"],
        step=found["step"] or "",
        error_type=_read(found["error_type"] or ""),
        message=_read(message[1]) if message else "",
        count=found["count"],
        first_at=found["first_at"],
        last_at=found["last_at"],
        example=found["example"],
    )


def _read(text: str) -> str:
    """Return what the inside of a JSON text means, whose end may have been cut off."""
    whole = _CUT_ESCAPE.sub("", text)
    try:
        return str(json.loads(f'"{whole}"'))
    except ValueError:
        return whole
