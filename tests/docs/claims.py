"""What README.md says of its example, tried out; apart from the page, so that its readers see only the example."""

from __future__ import annotations

import importlib

from django.contrib.auth.models import User
from django.core import mail
from django.test import RequestFactory

from durable_django import get_handle
from durable_django.testing import crash_after, run_until_idle


def check_readme() -> None:
    """Sign up twice, with a crash behind the first step: one user, one mail."""
    views = importlib.import_module("accounts.views")
    workflows = importlib.import_module("accounts.workflows")
    request = RequestFactory().post("/register", {"email": "ada@example.com"})
    answers = [views.register(request).status_code for _ in range(2)]
    assert answers == [202, 202]
    with crash_after(workflows.create_user):
        run_until_idle()
    assert User.objects.count() == 1
    assert not mail.outbox
    run_until_idle()
    assert get_handle("sign-up:ada@example.com").result() == User.objects.get().pk
    assert len(mail.outbox) == 1
