"""The Worker row behind an Ownership: registered, extended by heartbeats, ended."""

from __future__ import annotations

import uuid
from typing import Any

from durable_django.base import clock, hosts
from durable_django.conf import durable_settings
from durable_django.engine.ownership import Ownership
from durable_django.models.worker import Worker


def register(alias: str, **facts: Any) -> Ownership:
    """Insert the row of this process under a new random id, and return the right that it gives."""
    lease_seconds = float(durable_settings.LEASE_SECONDS)
    owner = Ownership(uuid.uuid4().hex, lease_seconds)
    Worker.objects.using(alias).register(
        owner.worker_id, lease_seconds, application=durable_settings.APPLICATION, **hosts.facts(), **facts
    )
    return owner


def register_again(lost: Ownership, alias: str, **facts: Any) -> Ownership:
    """
    Register the process under a new id, when its lease has passed while it was frozen or the database away.

    What an operator has told it holds on. The former row is not that of a lost worker, unless others have said so.
    """
    _hear(lost, alias)
    Worker.objects.using(alias).filter(pk=lost.worker_id).end()
    owner = register(alias, **facts)
    owner.draining, owner.leaving = lost.draining, lost.leaving
    return owner


def beat(owner: Ownership, alias: str) -> bool:
    """Extend the lease. Whether it still stood; if not, it is lost for good and the process must register anew."""
    asked_at = clock.elapsed_seconds()
    _hear(owner, alias)
    if Worker.objects.using(alias).extend(owner.worker_id, owner.lease_seconds, is_draining=not owner.is_claiming):
        owner.extend_from(asked_at)
        return True
    owner.lose()
    return False


def end(owner: Ownership, alias: str) -> None:
    """Give the lease up: what the process may still hold is recovered at once."""
    owner.lose()
    Worker.objects.using(alias).filter(pk=owner.worker_id).end()


def _hear(owner: Ownership, alias: str) -> None:
    """Leave if an operator has said so."""
    if Worker.objects.using(alias).filter(pk=owner.worker_id, must_drain=True).exists():
        owner.leaving.set()
