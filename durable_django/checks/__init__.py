"""
System checks: every misconfiguration is found by `manage.py check`, with what to do.

settings.py      E001 DURABLE_DJANGO is not a dict              E002 unknown key
                 E003 value of a wrong type or range            E008 heartbeat not well below the lease
                 E010 STREAM_PERMISSION names no callable        E013 REDACT names no callable
declarations.py  E004 two workflows have one name               E005 @workflow(queue=) names an undeclared queue
                 E011 two schedules have one name               E012 @schedule(queue=) names an undeclared queue
                 W016 on_failure or on_cancel names no workflow
routing.py       E018 the tables are in no or several databases E014 routers do not let the tables be made
databases.py     E006 neither PostgreSQL nor SQLite             E015 AUTOCOMMIT is off
sqlite.py        E007 in memory                                 E009 older than 3.35
                 W001 no write-ahead log                        W004 transactions do not begin IMMEDIATE
                 W005 ATOMIC_REQUESTS
postgresql.py    E016 stricter than READ COMMITTED              E017 a pool with CONN_MAX_AGE
                 W006 connections for ever, never tried         W008 NOTIFY behind a pooler
connections.py   W003 more than the server takes (asked of the database, by `check --database default`)
                 W007 more than the pool holds
tables.py        W013 unapplied migrations     W014 an index is missing     W015 a schedule cannot fire
                 W017 a schedule is another project's (all four by `check --database default`)
project.py       E104 TASKS needs the package django-tasks (others of 1xx: see tasks/checking.py)
                 W002 another app's `worker` command hides ours W009 USE_TZ is off
                 W010 DEBUG in production (`check --deploy`)     W011 addresses that nobody may read
                 W012 no templates for the admin
"""

from __future__ import annotations

from durable_django.checks.connections import check_connections, check_pool, judge_connections
from durable_django.checks.databases import check_database
from durable_django.checks.declarations import check_declarations, check_followers, check_schedules
from durable_django.checks.postgresql import check_postgresql
from durable_django.checks.project import (
    check_addresses,
    check_command,
    check_debug,
    check_tasks,
    check_templates,
    check_time_zone,
)
from durable_django.checks.routing import check_routing
from durable_django.checks.settings import check_settings
from durable_django.checks.sqlite import check_transactions
from durable_django.checks.tables import check_migrations, check_tables

__all__ = [
    "check_addresses",
    "check_command",
    "check_connections",
    "check_database",
    "check_debug",
    "check_declarations",
    "check_followers",
    "check_migrations",
    "check_pool",
    "check_postgresql",
    "check_routing",
    "check_schedules",
    "check_settings",
    "check_tables",
    "check_tasks",
    "check_templates",
    "check_time_zone",
    "check_transactions",
    "judge_connections",
]
