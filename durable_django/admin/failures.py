"""The page of failures in groups, each with a link to the list of its workflows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from durable_django.admin.addresses import list_of, page_of
from durable_django.admin.cells import breakable
from durable_django.admin.moments import moment
from durable_django.admin.operating.verbs import verbs_of
from durable_django.base.texts import plain, shortened
from durable_django.management import failing
from durable_django.management.showing import showing

#: The times that the page shows, by what the address calls them: seconds, name, and as a part of a sentence.
PERIODS: dict[str, tuple[float, Any, Any]] = {
    "1h": (3600.0, _("1 hour"), _("in the last hour")),
    "24h": (86_400.0, _("24 hours"), _("in the last 24 hours")),
    "7d": (7 * 86_400.0, _("7 days"), _("in the last 7 days")),
}
_USUAL_PERIOD = "24h"
#: Characters of a message.
_LONGEST_MESSAGE = 200
#: What can be done to a group as a whole.
_OFFERED = ("resume", "fork")


@dataclass(frozen=True)
class Line:
    """
    One group as the page shows it.

    address     the list of its workflows, from which verbs are done to all of them
    example     the page of one of them
    example_id  the same one
    keys        what names the group in an address
    """

    workflow: str
    step: str
    error_type: str
    message: str
    count: int
    first: str
    last: str
    address: str
    example: str
    example_id: str
    keys: dict[str, str]

    @property
    def shown_workflow(self) -> SafeString:
        """The name as a column shows it."""
        return breakable(self.workflow)

    @property
    def shown_step(self) -> SafeString:
        """The name as a column shows it."""
        return breakable(self.step)


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
        "verbs": [verb for verb in verbs_of("workflow") if verb.name in _OFFERED and verb.is_allowed(request)],
        "seen_since": found.seen_since,
        "period": PERIODS[period][2],
        "periods": [(key, name, key == period) for key, (_seconds, name, _said) in PERIODS.items()],
    }


def _line(failure: failing.Failure, period: str, site: str) -> Line:
    # Empty ones as well: a group without a step is not the one of every step.
    keys = {"workflow": failure.workflow, "error_type": failure.error_type, "failed_step": failure.step}
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
        example_id=failure.example,
        keys=keys,
    )
