"""How long the pages of the admin take with two million workflows and ten million steps."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.measurement import Measurement, Row, Target

_LIST = "workflow/?"
#: Figure, title and addresses of the pages that are measured together: the slowest counts.
_PAGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("overview", "overview of 24 hours", ("overview/",)),
    ("overview_5m", "overview of 5 minutes", ("overview/?period=5m",)),
    ("failures", "failures of 24 hours, of 7 days", ("overview/failures/", "overview/failures/?period=7d")),
    ("list", "list of workflows, its first and its last page", (_LIST, f"{_LIST}p=200")),
    (
        "statuses",
        "list by each status",
        tuple(
            f"{_LIST}status__exact={status}"
            for status in ("queued", "running", "waiting", "paused", "succeeded", "failed", "cancelled")
        ),
    ),
    (
        "filters",
        "list by other filters",
        (
            f"{_LIST}attention=late",
            f"{_LIST}attention=stalled",
            f"{_LIST}attention=codeless",
            f"{_LIST}finished=24h",
            f"{_LIST}workflow=shop.checkout&in_queue=mail",
            f"{_LIST}workflow=nobody.knows",
            f"{_LIST}version=v1&has_parent=yes",
            f"{_LIST}status__exact=failed&error_type=builtins:ValueError&finished=7d&failed_step=benchmarks.judge",
            f"{_LIST}in_queue=billing&status__exact=queued&partition=tenant-3",
            f"{_LIST}schedule=every-1",
            f"{_LIST}parent=done-9",
        ),
    ),
    (
        "search",
        "search",
        (
            f"{_LIST}q=done-99",
            f"{_LIST}q=nothing",
            f"{_LIST}q=benchmarks",
            f"{_LIST}q=benchmarks&version=none",
            f"{_LIST}q=done-&version=none",
        ),
    ),
    ("workflow", "page of a workflow, of a failed one", ("workflow/done-1999/change/", "workflow/failed-77/change/")),
    ("queues", "queues, page of a queue", ("queue/", "queue/default/change/")),
    ("schedules", "schedules, page of a schedule", ("schedule/", "schedule/2/change/")),
    ("workers", "workers, page of a worker", ("worker/", "worker/worker-1/change/")),
)

MEASUREMENT = Measurement(
    name="pages",
    size=9,
    quick_size=3,
    sides=("durable",),
    fills={"durable": "month"},
    needs={"durable": "postgresql"},
    is_kept=True,
    rows=tuple(
        Row(figure, f"{title}, beside 2,000,000 workflows (ms)", (Target("postgresql", at_most=300),))
        for figure, title, _addresses in _PAGES
    ),
)


def durable(size: int) -> dict[str, float]:
    """Ask for each page as the browser of a superuser does, behind one look that fills the caches."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get_or_create(username="root", is_superuser=True, is_staff=True)[0])
    figures = {}
    for figure, _title, addresses in _PAGES:
        figures[figure] = max(_milliseconds(client, f"/admin/durable_django/{each}", size) for each in addresses)
    return figures


def _milliseconds(client: object, address: str, size: int) -> float:
    taken = []
    for _number in range(size + 1):
        began_at = time.perf_counter()
        response = client.get(address)  # type: ignore[attr-defined]
        taken.append((time.perf_counter() - began_at) * 1000)
        assert response.status_code == 200, (address, response.status_code)
    return median(taken[1:])
