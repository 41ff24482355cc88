"""The task that is measured, for whichever backend the settings name."""

from __future__ import annotations

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def add_one(number: int) -> int:
    return number + 1
