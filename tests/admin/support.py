"""Users of the admin, and its pages."""

import re
import uuid

from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import TestCase
from django.urls import reverse

from durable_django.models import Workflow

HOSTILE = """'"><script>alert(1)</script><img src=x onerror=y>{{ 7 }}"""


class AdminTestCase(TestCase):
    """Every test is the visit of a member of the staff who may view workflows with payloads, queues and workers."""

    @classmethod
    def setUpTestData(cls):
        cls.viewer = cls.staff("viewer", "view_workflow", "view_payload", "view_queue", "view_worker")
        ContentType.objects.get_for_model(Workflow)

    def setUp(self):
        self.client.force_login(self.viewer)

    @staticmethod
    def staff(name, *permissions):
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(codename__in=permissions, content_type__app_label="durable_django")
        )
        return user

    def list_page(self, model="workflow", **address):
        return self.client.get(url(model, "changelist"), address)

    def page(self, key, model="workflow"):
        return self.client.get(url(model, "change", key))

    def operate(self, model, verb, *keys, **values):
        """Choose rows on the list, and confirm what is to be done with them; return the list behind it."""
        sent = {"action": verb, "_selected_action": keys, "confirmed": len(keys), **sheet(**values)}
        return self.client.post(url(model, "changelist"), sent, follow=True)

    def text(self, response):
        """Return a page as it is read: where a line may break, no word ends."""
        return response.content.decode().replace("<wbr>", "")

    def shown(self, response):
        """Return the ids on the list, in their order."""
        return [row.pk for row in response.context["cl"].result_list]

    def assert_safe(self, response):
        """Fail unless nothing on the page is markup that a row brought, a script or a style in line."""
        content = response.content.decode()
        self.assertEqual(200, response.status_code)
        self.assertNotIn("<script>alert", content)
        self.assertNotIn("<img src=x", content)
        self.assertEqual([], re.findall(r"<style|\sstyle=|\son\w+=\"|<script(?![^>]*\bsrc=)", content))


def sheet(**values):
    """Return what a form of a verb sends: its own id, a reason, and what else is given."""
    return {"form_id": str(uuid.uuid4()), "reason": "", **values}


def url(model, view, *keys):
    return reverse(f"admin:durable_django_{model}_{view}", args=[quote(key) for key in keys])
