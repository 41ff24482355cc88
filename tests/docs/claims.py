"""What README.md says of its examples, tried out; apart from the page, so that its readers see only the example."""

from __future__ import annotations

import importlib

from django.contrib.auth.models import User
from django.core import mail
from django.test import RequestFactory

from durable_django import get_handle, send
from durable_django.base import registry
from durable_django.models import Queue
from durable_django.testing import crash_after, run_until_idle, travel


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


def check_waiting() -> None:
    """Let a trial of two weeks begin, answer it, and let another one be silent."""
    workflows = importlib.import_module("accounts.workflows")
    before = len(mail.outbox)
    trials = [workflows.trial.start("grace@example.com") for _ in range(2)]
    run_until_idle()
    assert {trial.refresh().status for trial in trials} == {"waiting"}
    with travel(days=14, seconds=1):
        run_until_idle()
        send(trials[0].id, "yes", topic="answer")
        run_until_idle()
        assert trials[0].result() == "yes"
    with travel(days=18):
        run_until_idle()
    assert trials[1].result() == "silence"
    assert len(mail.outbox) == before + 4


def check_queues() -> None:
    """Change a profile three times: one mail, to the address of the last change."""
    workflows = importlib.import_module("accounts.workflows")
    Queue.objects.sync(registry.queues.declared())
    before = len(mail.outbox)
    user = User.objects.create_user("alan")
    for number in range(3):
        user.email = f"alan-{number}@example.com"
        workflows.profile_changed("acme", user)
    run_until_idle()
    assert len(mail.outbox) == before
    with travel(seconds=6):
        run_until_idle()
    assert [message.to for message in mail.outbox[before:]] == [["alan-2@example.com"]]
    assert (limits := Queue.objects.get(pk="mails")).concurrency == 20
    assert (limits.rate_limit, limits.rate_seconds, limits.is_partitioned) == (100, 60.0, True)
