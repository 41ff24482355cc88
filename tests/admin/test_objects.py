"""The workflows of an object on its page in the project's own admin."""

from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from durable_django.admin import DurableAdminMixin
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.admin.support import AdminTestCase
from tests.behaviour.test_plans import Plan
from tests.sample.workflows import two_marks


class GroupAdmin(DurableAdminMixin, admin.ModelAdmin):
    pass


class PlacedGroupAdmin(DurableAdminMixin, admin.ModelAdmin):
    fieldsets = ((None, {"fields": ("name", "durable_workflows")}),)


class BesideGroupAdmin(DurableAdminMixin, admin.ModelAdmin):
    fields = (("name", "durable_workflows"),)


class ListedGroupAdmin(DurableAdminMixin, admin.ModelAdmin):
    list_display = ("name", "durable_workflows")


class AnObject(AdminTestCase):
    def setUp(self):
        super().setUp()
        self.viewer.user_permissions.add(Permission.objects.get(codename="view_group"))
        self.group, self.other = (Group.objects.create(name=label) for label in "ab")

    def start(self, group, *keys):
        for key in keys:
            two_marks.using(id=key).start("w")
        kind = ContentType.objects.get_for_model(Group)
        Workflow.objects.filter(pk__in=keys).update(subject_type=kind, subject_id=str(group.pk))

    def shown_page(self, admin_class=GroupAdmin, user=None):
        request = RequestFactory().get("/")
        request.user = user or type(self.viewer).objects.get(pk=self.viewer.pk)
        page = admin_class(Group, admin.site).changeform_view(request, str(self.group.pk))
        return page.render().content.decode()

    def test_shows_its_workflows_and_no_others(self):
        """The newest first, each with a link and its bar on the time of all."""
        self.start(self.group, "a", "b")
        run_until_idle()
        self.start(self.other, "c")

        page = self.shown_page()

        for text in ("workflow/a/change/", "workflow/b/change/", '<rect x="0"', "durable_django/admin.css"):
            self.assertIn(text, page)
        self.assertNotIn("workflow/c/change/", page)
        self.assertLess(page.index("workflow/b/change/"), page.index("workflow/a/change/"))
        self.assertNotIn("style=", page)

    def test_leads_to_all_of_them(self):
        """In the list of workflows."""
        self.start(self.group, "a", "b")
        self.start(self.other, "c")
        kind = ContentType.objects.get_for_model(Group)

        self.assertIn(f"?subject={kind.pk}%3A{self.group.pk}", self.shown_page())
        self.assertEqual({"a", "b"}, set(self.shown(self.list_page(subject=f"{kind.pk}:{self.group.pk}"))))
        for bad in ("x:1", "1", "\u0663:1", "99999999999999999999:1", ":"):
            self.assertRedirects(self.list_page(subject=bad), "/admin/durable_django/workflow/?e=1")

    def test_shows_them_once_wherever_the_admin_has_put_them(self):
        """Behind its other fields, also if it has put them on one line with another one."""
        self.start(self.group, "a")

        for admin_class in (PlacedGroupAdmin, BesideGroupAdmin):
            self.assertEqual(1, self.shown_page(admin_class).count("workflow/a/change/"))

    def test_shows_them_to_those_alone_who_may_view_workflows(self):
        """Others see the object as before, wherever the admin has put them."""
        self.start(self.group, "a")
        stranger = self.staff("stranger")
        stranger.user_permissions.add(Permission.objects.get(codename="view_group"))

        for admin_class in (GroupAdmin, PlacedGroupAdmin, BesideGroupAdmin):
            page = self.shown_page(admin_class, user=stranger)

            self.assertIn("name", page.lower())
            self.assertNotIn("workflow/a/change/", page)

    def test_shows_them_on_its_page_alone(self):
        """A list of objects does not know who looks at it."""
        self.start(self.group, "a")
        request = RequestFactory().get("/")
        request.user = type(self.viewer).objects.get(pk=self.viewer.pk)

        page = ListedGroupAdmin(Group, admin.site).changelist_view(request).render().content.decode()

        self.assertNotIn("workflow/a/change/", page)

    def test_asks_few_queries_along_their_index(self):
        """As few for twenty as for one."""
        self.start(self.group, "a")
        self.shown_page()
        with CaptureQueriesContext(connection) as few:
            self.shown_page()
        self.start(self.group, *[f"w{number}" for number in range(30)])
        with CaptureQueriesContext(connection) as many:
            page = self.shown_page()

        self.assertEqual(len(few), len(many))
        self.assertEqual(20, page.count("durable-badge"))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
        (asked,) = [query["sql"] for query in many.captured_queries if 'FROM "durable_django_workflow"' in query["sql"]]
        self.assertIn("durable_workflow_subject", Plan(asked).indexes)

    def test_that_is_not_there_yet_has_none(self):
        """The form for a new one has no place for them."""
        fieldsets = GroupAdmin(Group, AdminSite()).get_fieldsets(self.client.get("/admin/").wsgi_request)

        self.assertEqual(1, len(fieldsets))
