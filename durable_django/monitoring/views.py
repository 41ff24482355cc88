"""Health and metrics over HTTP, for those who may read them, which is not who has logged in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from durable_django.monitoring import openmetrics
from durable_django.monitoring.access import for_monitors
from durable_django.monitoring.health import Thresholds, as_json, examine
from durable_django.monitoring.measures import measure

_AWAY = 503
_UNREAD = "The database does not answer, or lacks tables: see the view of health.\n"


@login_not_required
@transaction.non_atomic_requests
@never_cache
@require_safe
@for_monitors
def health(_request: HttpRequest) -> HttpResponse:
    """
    Answer as `manage.py durable health --json` does, with status 200 or 503.

    For users with the permissions to view queues, schedules and workers, and for requests with the header
    `Authorization: Bearer <MONITORING_TOKEN>`; others get 403.
    """
    found = as_json(examine(Thresholds.of_settings()))
    return JsonResponse(found, status=200 if found["healthy"] else _AWAY)


@login_not_required
@transaction.non_atomic_requests
@never_cache
@require_safe
@for_monitors
def metrics(_request: HttpRequest) -> HttpResponse:
    """Send the gauges as OpenMetrics text; status 503 while the database cannot be read. See health()."""
    try:
        text = openmetrics.render(measure())
    except (DatabaseError, InterfaceError):
        # The words of the error belong to `health`, which says them.
        return HttpResponse(_UNREAD, status=_AWAY, content_type="text/plain; charset=utf-8")
    return HttpResponse(text, content_type=openmetrics.CONTENT_TYPE)
