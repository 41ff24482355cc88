"""
Each alert is a mail to ADMINS, sent by a workflow: a mail server that is away delays it, and stops no worker.

The workflow is async and has a queue of its own: it needs neither a thread nor a place in a line that may be what the
alert is about.
"""

from __future__ import annotations

import shlex
from typing import Any

from asgiref.sync import sync_to_async
from django.core.mail import mail_admins
from django.dispatch import receiver

from durable_django import signals
from durable_django.api.queues import Queue
from durable_django.api.steps import step
from durable_django.api.workflows import workflow
from durable_django.base.retries import Retry
from durable_django.base.texts import plain, spoken_seconds

alerts = Queue("durable-alerts")


@step(retry=Retry(max_attempts=50, base_seconds=5, max_seconds=600))
async def send_mail(subject: str, text: str) -> None:
    """Send one mail to ADMINS."""
    await sync_to_async(mail_admins)(subject, text)


@workflow(name="durable_alerts.mail_alert", queue="durable-alerts")
async def mail_alert(subject: str, text: str) -> None:
    """Send one mail to ADMINS, again and again until the mail server takes it."""
    await send_mail(subject, text)


def _mail(subject: str, *lines: str) -> None:
    # A subject is one line, whatever names hold.
    mail_alert.start(plain(subject)[:200], "\n\n".join(map(plain, lines)) + "\n")


@receiver(signals.queue_delayed, dispatch_uid="durable_alerts.queue_delayed")
def on_queue_delayed(queue: str, delay_seconds: float, **_facts: Any) -> None:
    """Mail that work stands in line for too long."""
    _mail(
        f"Queue {queue} is delayed",
        f"A workflow has stood in line for {spoken_seconds(delay_seconds)}.",
        "Look: manage.py durable health, manage.py durable queues. Start more workers, or raise its limits.",
    )


@receiver(signals.schedule_broken, dispatch_uid="durable_alerts.schedule_broken")
def on_schedule_broken(schedule: str, reason: str, **_facts: Any) -> None:
    """Mail that a schedule cannot fire."""
    _mail(f"Schedule {schedule} cannot fire", reason, "It is tried again. Look: manage.py durable schedules")


@receiver(signals.workflows_failing, dispatch_uid="durable_alerts.workflows_failing")
def on_workflows_failing(name: str, count: int, workflow_id: str, **_facts: Any) -> None:
    """Mail that workflows of a name fail."""
    _mail(
        f"{name} fails",
        f"{count} failed in the last minutes, the last one was {workflow_id}.",
        f"Look: manage.py durable show {shlex.quote(workflow_id)}. Once it is mended: "
        f"manage.py durable resume --status failed --name {shlex.quote(name)}",
    )


@receiver(signals.worker_lost, dispatch_uid="durable_alerts.worker_lost")
def on_worker_lost(worker_id: str, hostname: str, pid: int, **_facts: Any) -> None:
    """Mail that a worker was lost."""
    _mail(
        f"A worker on {hostname} was lost",
        f"Worker {worker_id} (process {pid}) died or is not heard of. What it ran is recovered by others.",
        "Look: manage.py durable health",
    )
