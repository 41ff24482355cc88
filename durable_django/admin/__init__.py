"""The admin: pages that show; Django finds them by this package's name."""

from durable_django.admin import operations, queues, schedules, workers, workflows

__all__ = ["operations", "queues", "schedules", "workers", "workflows"]
