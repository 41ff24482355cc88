"""The page of failures in groups, each with a link to the list of its workflows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import list_of, page_of
from durable_django.admin.moments import moment
from durable_django.base.texts import plain, shortened
from durable_django.management import failing
from durable_django.management.showing import showing

#: The times that the page shows, by what the address calls them.
PERIODS: dict[str, tuple[float, Any]] = {
    "1h": (3600.0, _("1 hour")),
    "24h": (86_400.0, _("24 hours")),
    "7d": (7 * 86_400.0, _("7 days")),
}
_USUAL_PERIOD = "24h"
#: Characters of a message.
_LONGEST_MESSAGE = 200


@dataclass(frozen=True)
class Line:
    """One group as the page shows it; keys are what names the group in an address."""

    workflow: str
    step: str
    error_type: str
    message: str
    count: int
    first: str
    last: str
    address: str
    example: str
    keys: dict[str, str]


def page_of_failures(request: HttpRequest, site: str) -> dict[str, Any]:
    """
    Return what the template shows.

    Messages may hold anything: they are for those alone who may view payloads, and without their secrets.
    """
    may_read = request.user.has_perm("durable_django.view_payload")
    period = request.GET.get("period", _USUAL_PERIOD)
    period = period if period in PERIODS else _USUAL_PERIOD
    found = failing.group(PERIODS[period][0])
    return {
        "lines": [
            _line(failure if may_read else replace(failure, message=""), period, site) for failure in found.groups
        ],
        "seen_since": found.seen_since,
        "period": PERIODS[period][1],
        "periods": [(key, title, key == period) for key, (_seconds, title) in PERIODS.items()],
    }


def _line(failure: failing.Failure, period: str, site: str) -> Line:
    keys = {"workflow": failure.workflow, "error_type": failure.error_type, "failed_step": failure.step}
    keys = {name: value for name, value in keys.items() if value}
    return Line(
        workflow=plain(failure.workflow),
        step=plain(failure.step),
        error_type=plain(failure.error_type.rpartition(":")[2]),
        message=shortened(plain(showing().redact("", failure.message)), _LONGEST_MESSAGE),
        count=failure.count,
        first=moment(failure.first_at),
        last=moment(failure.last_at),
        address=list_of(site, "workflow", status__exact="failed", finished=period, **keys),
        example=page_of(site, "workflow", failure.example),
        keys=keys,
    )
