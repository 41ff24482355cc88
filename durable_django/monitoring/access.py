"""Who may read the views of monitoring: users with permission, and programs with the token; nobody by default."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from durable_django.conf import durable_settings

#: What a user must have, all of them: the views tell of all three.
PERMISSIONS = ("durable_django.view_queue", "durable_django.view_schedule", "durable_django.view_worker")
_SCHEME = "bearer "

View = Callable[[HttpRequest], HttpResponse]


def for_monitors(view: View) -> View:
    """Let only those read a view who may."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if not (_has_token(request) or _is_permitted(request)):
            raise PermissionDenied
        return view(request)

    return guarded


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "")
    is_of_scheme = given[: len(_SCHEME)].lower() == _SCHEME
    return is_of_scheme and _is_right(given[len(_SCHEME) :].strip())


def _is_right(given: str) -> bool:
    # A variable that is not set may have left a None there, a file of secrets a line break.
    chosen: object = durable_settings.MONITORING_TOKEN
    token = chosen.strip() if isinstance(chosen, str) else ""
    return bool(token) and constant_time_compare(given, token)


def _is_permitted(request: HttpRequest) -> bool:
    # A project may do without users.
    user = getattr(request, "user", None)
    return user is not None and user.has_perms(PERMISSIONS)
