"""
A schedule whose text differs from release to release.

DURABLE_TEST_CRON  what this release declares; a text that does not fire during a test by default
"""

from __future__ import annotations

import os
from datetime import datetime

from durable_django import schedule, workflow
from tests.sample.scheduled import note


@schedule(os.environ.get("DURABLE_TEST_CRON", "0 0 29 2 *"), name="released", timezone="UTC")
@workflow
def released(scheduled_at: datetime) -> None:
    """One mark for each tick."""
    note(f"{scheduled_at:%H:%M:%S}")
