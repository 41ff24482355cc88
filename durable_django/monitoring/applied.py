"""Which migrations of this package a database lacks, asked in one query, without loading those of other apps."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

_APP = "durable_django"
#: Databases whose table of migrations was seen: to look for it is to list all tables of the project.
_seen: set[str] = set()


def missing(alias: str) -> list[str]:
    """Return the names of those that were not applied, in order; empty where the project has turned them off."""
    place, _is_set = MigrationLoader.migrations_module(_APP)
    if place is None:
        return []
    names = {each.name for each in pkgutil.iter_modules(import_module(place).__path__) if not each.name.startswith("_")}
    recorder = MigrationRecorder(connections[alias])
    if alias in _seen or recorder.has_table():
        _seen.add(alias)
        names -= set(recorder.migration_qs.filter(app=_APP).values_list("name", flat=True))
    return sorted(f"{_APP}.{name}" for name in names)
