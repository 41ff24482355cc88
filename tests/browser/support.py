"""A live server under a strict policy, a visitor, an operator, and workers that finish what the operator began."""

from __future__ import annotations

import atexit
import functools
import unittest

from django.conf import settings
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.test import override_settings
from django.urls import reverse

from tests.browser import chromium
from tests.browser.visitor import Visitor
from tests.crashes.harness import CrashTestCase

#: Where the page of a workflow says its status: a step may have answered with the same word.
STATUS = ".durable-summary"


@unittest.skipIf(chromium.missing(), chromium.missing())
@override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, "tests.browser.policy.strict"])
class BrowserTestCase(CrashTestCase, StaticLiveServerTestCase):
    """
    Every test is a visit, which must not make the browser complain: neither of a script nor of the policy.

    The operator may do everything; `self.visitor` is not logged in yet.
    """

    visitor: Visitor

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.visitor = visitor()
        cls.visitor.site = cls.live_server_url

    def setUp(self):
        super().setUp()
        self.operator = User.objects.create_superuser("operator", password="operator")
        self.visitor.forget()
        self.addCleanup(self._leave)

    def log_in(self):
        """Let the operator in without the form."""
        self.client.force_login(self.operator)
        self.visitor.take_cookie(settings.SESSION_COOKIE_NAME, self.client.cookies[settings.SESSION_COOKIE_NAME].value)

    def _leave(self):
        """Close the page, so that it asks for nothing when the rows are gone, and hear what was wrong with it."""
        self.visitor.driver.get("about:blank")
        self.assertEqual([], self.visitor.complaints())


@functools.cache
def visitor() -> Visitor:
    """Return the visitor of this run: a browser takes longer to start than most visits last."""
    found = Visitor()
    atexit.register(found.leave)
    return found


def page_of(model: str, key: object) -> str:
    return reverse(f"admin:durable_django_{model}_change", args=[quote(key)])


def list_of(model: str) -> str:
    return reverse(f"admin:durable_django_{model}_changelist")
