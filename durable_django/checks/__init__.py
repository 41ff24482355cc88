"""
System checks: every misconfiguration is found by `manage.py check`, with what to do.

E001 DURABLE_DJANGO is not a dict              E002 unknown key              E003 value of a wrong type or range
E004 two workflows have one name               E005 @workflow(queue=) names an undeclared queue
E006 the database is not PostgreSQL or SQLite  E007 SQLite in memory         E008 heartbeat not well below the lease
E009 SQLite is older than 3.35                 E010 STREAM_PERMISSION names no callable
E011 two schedules have one name               E012 @schedule(queue=) names an undeclared queue
E104 TASKS needs the package django-tasks      (others of 1xx: see tasks/checking.py)
W001 SQLite without a write-ahead log          W002 another app's `worker` command hides ours
W003 workers may open more connections than the server takes; asked of the database, by `check --database default`
"""

from __future__ import annotations

from durable_django.checks.connections import check_connections, judge_connections
from durable_django.checks.databases import check_database
from durable_django.checks.declarations import check_declarations, check_schedules
from durable_django.checks.project import check_command, check_tasks
from durable_django.checks.settings import check_settings

__all__ = [
    "check_command",
    "check_connections",
    "check_database",
    "check_declarations",
    "check_schedules",
    "check_settings",
    "check_tasks",
    "judge_connections",
]
