"""Every text of the admin goes through gettext: in a language that nobody speaks, pages keep no word of the code's."""

import re
from collections import Counter
from unittest import mock

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import RequestFactory, SimpleTestCase
from django.utils import translation

from durable_django.admin import DurableAdminMixin
from durable_django.base import registry
from durable_django.models import Operation, Schedule
from tests.admin import hostility, operating, pseudo, translated
from tests.admin.support import sheet, url
from tests.commands.support import durable

#: The same in every language: kinds of steps as code calls them, values, zones; alternative texts of Django's own; what
#: Python says of JSON.
_CODE = {
    "sleep", "receive", "result", "get", "event", "UTC", "Europe", "Berlin", "T", "default",
    "True", "False", "Search", "NaN",
}  # fmt: skip
_SAID_BY_PYTHON = ("Expecting property name enclosed in", "maximum recursion depth exceeded", "Traceback (", 'File "')
_MOST_FORMS = 5
_WORDS = re.compile(r"[A-Za-z]+")
#: Names of rows, those of tests/admin/operating.py among them, and of code; other data of these rows.
_DATA = re.compile(
    r"\b[Zz]q[\w:.-]*|\b(?:for|schedule)[:-][\w:-]+|\b(?:sample|auth|tests)\.[\w.]+:?|\b[0-9a-f]{8}(?:-[0-9a-f]{4,12}){4}\b"
    r"|\ba test\b|\bhere\b|\bw\b|:\s?t$|^t$|\bl \*|[\"'](?:approved|region|north|args|kwargs)[\"']"
)


def with_few_forms(addresses):
    """Leave out the forms of a verb for more than a few rows: what they say of each row stands on its page as well."""
    asked = Counter()
    for address in addresses:
        row, _, verb = address.partition("/operate/")
        asked[row.rpartition("/")[0], verb] += 1
        if not verb or asked[row.rpartition("/")[0], verb] <= _MOST_FORMS:
            yield address


class AnUnknownLanguage(operating.OperatingTestCase):
    maxDiff = None

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.operator.username = "zquser"
        cls.operator.save()
        cls.operator.user_permissions.add(Permission.objects.get(codename="view_group"))
        cls.group = translated.make_rows()

    def setUp(self):
        super().setUp()
        self.enterContext(pseudo.spoken())
        self.client.force_login(self.operator)
        self.found = {}

    def read(self, response, place):
        """Note what a page says in letters of the code, and where it does."""
        self.assertEqual(200, response.status_code, place)
        names = {*registry.workflows.names(), *registry.queues.names()}
        for text in pseudo.texts_of(response.content.decode()):
            is_said = not any(each in text for each in _SAID_BY_PYTHON)
            if is_said and text not in names and set(_WORDS.findall(_DATA.sub("", text))) - _CODE:
                self.found.setdefault(text, place)

    def assert_translated(self):
        self.assertEqual("", "\n".join(f"{text!r} on {place}" for text, place in self.found.items()))

    def test_is_on_every_page(self):
        """Lists, pages of rows, logs, the overview, in all the states that rows can have."""
        shown = 0
        for address in with_few_forms(hostility.addresses()):
            response = None if address.endswith("/history/") else self.client.get(address)
            if response is not None and response.status_code == 200:
                shown += 1
                self.read(response, address)

        self.assert_translated()
        self.assertGreater(shown, 60)

    def test_is_on_lists_with_their_filters_set(self):
        """What a filter offers, and what a list says of it."""
        asked = (
            {"attention": "late"}, {"started": "24h"}, {"finished": "7d", "status__exact": "failed"},
            {"has_parent": "yes"},
            {"error_type": ""}, {"failed_step": ""}, {"parent": "zq-holds"}, {"q": "zq-done"}, {"partition": ""},
        )  # fmt: skip
        with mock.patch("durable_django.admin.lists.MOST_COUNTED", 3):
            for filters in asked:
                self.read(self.client.get(url("workflow", "changelist"), filters), filters)
        for model, filters in (("worker", {"state": "gone"}), ("schedule", {"state": "broken"})):
            self.read(self.client.get(url(model, "changelist"), filters), filters)
        for page in ("overview/", "overview/failures/"):
            for period in ("5m", "1h", "24h", "7d"):
                self.read(self.client.get(f"/admin/durable_django/{page}", {"period": period}), page)

        self.assert_translated()

    def test_is_on_the_page_of_a_workflow_in_each_of_its_views(self):
        """The first steps, idle time at its full length, without the permission to see payloads, with much cut."""
        address = url("workflow", "change", "zq-done")
        with (
            mock.patch("durable_django.admin.workflow_page.page.MOST_STEPS", 1),
            mock.patch("durable_django.management.surroundings.MOST_RELATIVES", 1),
            mock.patch("durable_django.management.surroundings.MOST_MESSAGES", 1),
            mock.patch("durable_django.admin.workflow_page.timeline.MOST_LANES", 1),
        ):
            for view in ({}, {"steps": "first"}, {"idle": "shown"}):
                self.read(self.client.get(address, view), view)
                self.read(self.client.get(url("workflow", "change", "zq-awaits-children"), view), view)
        self.operator.user_permissions.remove(Permission.objects.get(codename="view_payload"))
        for key in ("zq-done", "zq-failed"):
            self.read(self.client.get(url("workflow", "change", key)), key)
        self.read(self.client.get(url("schedule", "changelist")), "schedules")

        self.assert_translated()

    def test_is_on_the_page_of_an_object(self):
        """That the project's own admin shows."""

        class GroupAdmin(DurableAdminMixin, admin.ModelAdmin):
            pass

        request = RequestFactory().get("/")
        request.user = self.operator
        page = GroupAdmin(Group, admin.site).changeform_view(request, str(self.group.pk))

        self.read(page.render(), "an object")

        self.assert_translated()

    def test_is_in_what_is_asked_before_something_is_done(self):
        """For each verb, of one row and of several; also when the form is sent empty."""
        for target in self.make_targets():
            address = self.operate_address(target)
            self.read(self.client.get(address), address)
            self.read(self.client.post(address, {"confirmed": "1", "place": "step"}), address)
            everything = {"action": target.verb, "_selected_action": [target.key], "select_across": "1"}
            with mock.patch("durable_django.admin.operating.confirming.MOST_CHANGED", 2):
                self.read(self.client.post(url(target.kind, "changelist"), everything), address)
            if target.verb == "backfill":
                self.read(self.client.post(address, sheet(**target.values, look="1")), address)

        self.assert_translated()

    def test_is_in_what_is_said_after_something_was_done(self):
        """On pages of rows and lists, also if it was done before, and in the log."""
        for target in self.make_targets():
            form = sheet(**target.values)
            for values in (form, form):
                answer = self.client.post(self.operate_address(target), {**values, **self.confirmed(target, values)})
                if answer.status_code == 404:
                    self.assertEqual("purge", target.verb)
                    break
                self.read(answer if answer.status_code == 200 else self.client.get(answer["Location"]), target)
            again = self.on_list(target)
            self.read(again if again.status_code == 200 else self.client.get(again["Location"]), target)
            if target.verb != "purge":
                self.read(self.client.get(url(target.kind, "history", target.key)), target)
        self.client.post(url("queue", "change", "zq-full"), {"concurrency": "3", "reason": "zq"})
        self.read(self.client.get(url("queue", "change", "zq-full")), "edited")
        self.read(self.client.get(url("queue", "history", "zq-full")), "edited")
        for operation in Operation.objects.all():
            self.read(self.client.get(url("operation", "change", operation.pk)), operation)
        self.read(self.client.get(url("operation", "changelist")), "operations")
        self.read(self.client.get("/admin/"), "index")

        self.assert_translated()
        self.assertEqual([], [row for row in self.kept() if pseudo.is_spoken_in(row)])

    def kept(self):
        """Return all that is stored of what was done, as text: none of it is in the language of who did it."""
        models = (*apps.get_app_config("durable_django").get_models(), LogEntry)
        return [str(row) for model in models for row in model.objects.values()]

    def confirmed(self, target, values):
        return {"confirmed": self.token(self.client.post(self.operate_address(target), values))}

    def test_is_in_what_is_refused(self):
        """Each at its field."""
        forms = {
            "send": ({"message": "{"}, {"message": "NaN"}, {"message": "[" * 10_000}),
            "set_attributes": ({"attributes": "[]"},),
            "fork": ({"place": "step"}, {"place": "beginning", "arguments": "7"}),
        }
        for verb, tried in forms.items():
            address = self.operate_address(operating.Target("workflow", verb, "zq-queued"))
            for values in tried:
                self.read(self.client.post(address, sheet(**values, confirmed="1")), values)
        backfill = self.operate_address(operating.Target("schedule", "backfill", Schedule.objects.get(name="zq-on").pk))
        for start, end in (("2031-05-02T12:00", "2031-05-01T12:00"), ("1990-05-01T12:00", "2020-05-01T12:00")):
            self.read(self.client.post(backfill, sheet(start=start, end=end, look="1")), (start, end))
        for values in (
            {"concurrency": "99999999999"}, {"rate_limit": "0", "rate_seconds": "1"}, {"rate_limit": "1"},
            {"rate_limit": "1", "rate_seconds": "0"}, {"concurrency": "1", "worker_concurrency": "2"},
            {"concurrency": "x"},
        ):  # fmt: skip
            self.read(self.client.post(url("queue", "change", "zq-open"), values), values)
        self.read(self.client.post(url("queue", "change", "zq-partitioned"), {"partition_concurrency": "1"}), "")

        self.assert_translated()

    def test_is_not_in_what_commands_say(self):
        """They speak as the code does: scripts read them, and manuals quote them."""
        said = [
            durable("list"), durable("show", "zq-done"), durable("show", "zq-failed"), durable("queues"),
            durable("schedules"), durable("workers"), durable("cancel", "zq-queued"), durable("list", "--json"),
        ]  # fmt: skip

        self.assertEqual([], [text for text in said if pseudo.is_spoken_in(text)])


class AWordOfThePackage(SimpleTestCase):
    def test_is_said_in_the_language_of_the_reader(self):
        """In English where the package does not have it."""
        for language, said in (("de", "Zeitplan"), ("fr", "planification"), ("en", "schedule"), ("it", "schedule")):
            with translation.override(language):
                self.assertEqual(said, str(Schedule._meta.verbose_name))


class AReader(operating.OperatingTestCase):
    def test_reads_in_the_language_of_the_browser(self):
        """As far as the project has Django's own middleware for that; one page each, the other words are elsewhere."""
        middleware = [*settings.MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
        # The middleware leaves its language to the thread.
        with self.settings(MIDDLEWARE=middleware), translation.override(None):
            for language, title in (("de-AT,de;q=0.9", "Überblick"), ("fr", "Vue d'ensemble"), ("it", "Overview")):
                page = self.client.get("/admin/durable_django/overview/", headers={"Accept-Language": language})

                self.assertEqual(title, str(page.context["title"]).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
                self.assertContains(page, page.context["title"])
