"""Where the workflow tables lie, as the routers say."""

from __future__ import annotations

from django.apps import apps
from django.db import router


def alias_of_tables() -> str:
    """Return the database of the workflow tables."""
    return router.db_for_write(apps.get_model("durable_django", "Workflow"))
