"""Whether somebody may start a workflow: the permission of its declaration, held against the user of the start."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied

from durable_django.base.registry import Registered


def require(registered: Registered, user: Any) -> None:
    """
    Raise PermissionDenied if the workflow asks for a permission that a user has not; one query or more then.

    user  as given to using(user=), a user or a primary key; None: code starts it by itself, which may do anything
    """
    if registered.permission is None or user is None:
        return
    found = user if hasattr(user, "has_perm") else get_user_model()._default_manager.filter(pk=user).first()
    if found is None or not found.has_perm(registered.permission):
        who = str(getattr(user, "pk", user) or "an anonymous user")
        message = f"User {who!r} may not start {registered.name}: it needs the permission {registered.permission!r}."
        raise PermissionDenied(message)
