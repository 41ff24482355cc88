"""The admin: pages that show; Django finds them by this package's name."""

from durable_django.admin import queues, schedules, workers, workflows

__all__ = ["queues", "schedules", "workers", "workflows"]
