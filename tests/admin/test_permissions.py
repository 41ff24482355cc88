"""Who may see the pages, and that nobody can change, add or delete a row on them."""

from django.contrib.admin import site
from django.contrib.auth.models import User

from durable_django.models import Queue, Schedule, Worker, Workflow
from tests.admin.support import AdminTestCase, url
from tests.behaviour.scheduling import make
from tests.sample.workflows import two_marks

MODELS = ("workflow", "queue", "worker")


class Pages(AdminTestCase):
    def setUp(self):
        super().setUp()
        two_marks.using(id="x").start("w")
        Queue.objects.create(name="x")
        Worker.objects.register("x", 60, hostname="here", pid=1)

    def every_page(self):
        return [self.list_page(model) for model in MODELS] + [self.page("x", model) for model in MODELS]

    def test_are_open_to_staff_who_may_view(self):
        """The view permission of each model is enough."""
        self.assertEqual({200}, {page.status_code for page in self.every_page()})

    def test_are_closed_to_staff_who_may_not(self):
        """Also to those who may view something else."""
        self.client.force_login(self.staff("stranger"))
        self.assertEqual({403}, {page.status_code for page in self.every_page()})

        self.client.force_login(self.staff("keeper", "view_queue"))
        self.assertEqual([403, 200, 403, 403, 200, 403], [page.status_code for page in self.every_page()])

    def test_ask_others_to_log_in(self):
        """Visitors, and users who are not staff."""
        self.client.logout()
        self.assertEqual({302}, {page.status_code for page in self.every_page()})

        self.client.force_login(User.objects.create_user("former", is_superuser=True))
        self.assertEqual({302}, {page.status_code for page in self.every_page()})

    def test_have_no_way_to_change_a_row(self):
        """Not for a superuser, not by a request made by hand; but for the limits of queues, which test_queues sees."""
        self.client.force_login(User.objects.create_superuser("root"))
        for model in MODELS:
            for address in (url(model, "add"), url(model, "delete", "x")):
                self.assertEqual(403, self.client.post(address, {"post": "yes"}).status_code, address)
            self.assertNotContains(self.page("x", model), "deletelink")
            self.assertNotContains(self.list_page(model), url(model, "add"))
        for model in ("workflow", "worker"):
            self.assertEqual(403, self.client.post(url(model, "change", "x"), {"post": "yes"}).status_code, model)
            for word in ('name="_save"', "<textarea", 'type="text"'):
                self.assertNotContains(self.page("x", model), word)

        self.assertEqual((1, 1), (Workflow.objects.queued().count(), Worker.objects.count()))

    def test_have_no_bulk_action(self):
        """delete_selected is gone, also for a request made by hand."""
        self.client.force_login(User.objects.create_superuser("root"))
        for model in MODELS:
            self.client.post(url(model, "changelist"), {"action": "delete_selected", "_selected_action": "x"})
            self.assertNotContains(self.list_page(model), "delete_selected")

        self.assertEqual((1, 1), (Workflow.objects.count(), Worker.objects.count()))

    def test_carry_no_script_and_no_style_in_line(self):
        """They work under a strict content security policy."""
        for page in self.every_page():
            self.assert_safe(page)


class EveryList(AdminTestCase):
    MODELS = (*MODELS, "schedule", "operation")

    def setUp(self):
        super().setUp()
        self.client.force_login(User.objects.create_superuser("root"))

    def test_takes_no_lookup_from_the_address_but_those_of_its_filters(self):
        """No column and no relation of a row can be asked for that is not meant to be."""
        for model in self.MODELS:
            for lookup in ("pk__regex", "name__contains", "application__startswith", "encoded_context__contains"):
                self.assertEqual(400, self.list_page(model, **{lookup: "x"}).status_code, (model, lookup))

    def test_adds_and_deletes_nothing(self):
        """Not for a superuser, not by a request made by hand."""
        key = str(make(workflow="sample.takes_both").pk)
        for address, sent in (
            (url("schedule", "add"), {"name": "x", "workflow": "y", "cron": "* * * * *"}),
            (url("schedule", "delete", key), {"post": "yes"}),
            (url("schedule", "change", key), {"cron": "* * * * *"}),
        ):
            self.assertEqual(403, self.client.post(address, sent).status_code, address)
        for model in self.MODELS:
            sent = {"action": "delete_selected", "_selected_action": key, "post": "yes"}
            self.client.post(url(model, "changelist"), sent)

        found = Schedule.objects.get(pk=key)
        self.assertNotEqual("* * * * *", found.cron)


class Registration(AdminTestCase):
    def test_is_that_of_five_models_and_the_overview(self):
        """What people look at; the other tables are seen on the page of their workflow, or later."""
        ours = {model._meta.model_name for model in site._registry if model._meta.app_label == "durable_django"}

        self.assertEqual({*MODELS, "schedule", "operation", "overview"}, ours)
