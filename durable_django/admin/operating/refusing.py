"""Refusing: who asks for what he has no permission for gets nothing, and the log knows who it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from durable_django import signals
from durable_django.base.texts import shortened

#: Rows that a record names, and characters of each: a request made by hand may name anything.
_MOST_NAMED = 10
_LONGEST_ID = 255


def refuse(request: HttpRequest, verb: str, kind: str, keys: Sequence[str]) -> NoReturn:
    """
    Tell of the attempt, and raise PermissionDenied.

    verb  as in the permission
    keys  of the rows of that kind that were meant, as the request says
    """
    signals.operation_refused.send_robust(
        sender=None,
        actor=request.user.get_username(),
        verb=verb,
        object_kind=kind,
        object_ids=tuple(shortened(key, _LONGEST_ID) for key in keys[:_MOST_NAMED]),
    )
    raise PermissionDenied
