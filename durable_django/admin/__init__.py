"""The admin: pages that show; Django finds them by this package's name."""

from durable_django.admin import overview, queues, schedules, workers, workflows
from durable_django.admin.mixins import DurableAdminMixin

__all__ = ["DurableAdminMixin", "overview", "queues", "schedules", "workers", "workflows"]
