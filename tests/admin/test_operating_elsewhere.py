"""Verbs on pages of something else: groups of failures, objects of the project, the overview."""

from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.test import RequestFactory
from django.utils import timezone

from durable_django.models import Operation, Step, Workflow
from tests.admin.operating import OperatingTestCase, Target
from tests.admin.support import HOSTILE, sheet, url
from tests.admin.test_objects import GroupAdmin
from tests.sample.workflows import two_marks

FAILURES = "/admin/durable_django/overview/failures/"
OVERVIEW = "/admin/durable_django/overview/"
VALUE_ERROR = '{"type":"builtins:ValueError","message":"no"}'


def fail(*keys, step="", error=VALUE_ERROR):
    for key in keys:
        two_marks.using(id=key).start("w")
        if step:
            Step.objects.create(workflow_id=key, position=1, name=step, attempt=1, error="{}")
    Workflow.objects.filter(pk__in=keys).update(status="failed", error=error, finished_at=timezone.now())


class AGroupOfFailures(OperatingTestCase):
    def setUp(self):
        super().setUp()
        fail("a", "b", step="charge")
        fail("c", step="ship")
        fail("d")
        fail("e", error="{")
        fail("f", step="charge", error="{")

    def group(self, step, error_type="ValueError"):
        lines = self.client.get(FAILURES).context["lines"]
        return next(line for line in lines if (line.step, line.error_type) == (step, error_type))

    def choose(self, verb, line, **values):
        """Press the button of a group, or confirm what it asks."""
        sent = {"action": verb, "select_across": "1", "_selected_action": line.example_id}
        return self.client.post(line.address, {**sent, **values})

    def failed(self):
        return set(Workflow.objects.filter(status="failed").values_list("pk", flat=True))

    def test_is_resumed_as_a_whole(self):
        """Once it was confirmed, each with its record; other groups are left alone."""
        line = self.group("charge")

        asked = self.choose("resume", line)
        self.assertEqual((2, 6), (asked.context["count"], len(self.failed())))
        done = self.choose("resume", line, confirmed="2", **sheet(reason="bank is back"))

        self.assertEqual((302, {"c", "d", "e", "f"}), (done.status_code, self.failed()))
        self.assertEqual({"a", "b"}, set(Operation.objects.values_list("object_id", flat=True)))

    def test_is_forked_as_a_whole(self):
        """From the failure; the failures stay as they are."""
        line = self.group("charge")

        self.assertEqual("failure", self.choose("fork", line).context["form"]["place"].initial)
        self.choose("fork", line, confirmed="2", **sheet(place="failure"))

        self.assertEqual(
            {"a", "b"}, set(Workflow.objects.exclude(forked_from=None).values_list("forked_from_id", flat=True))
        )
        self.assertEqual(6, len(self.failed()))

    def test_is_what_its_line_counts(self):
        """Also one without a step, or whose error cannot be read: it is not all of them."""
        for step, error_type, keys in (
            ("charge", "ValueError", {"a", "b"}), ("", "ValueError", {"d"}), ("", "", {"e"}), ("charge", "", {"f"}),
        ):  # fmt: skip
            line = self.group(step, error_type)

            asked = self.choose("resume", line)

            self.assertEqual((len(keys), line.count), (asked.context["count"], line.count))
            self.assertEqual(keys, {row.pk for row in asked.context["asked"].rows})

    def test_is_that_of_the_last_step_that_failed(self):
        """Not of one whose error the code has caught."""
        Step.objects.create(workflow_id="a", position=2, name="ship", attempt=1, error="{}")

        self.assertEqual((1, 2), (self.group("charge").count, self.group("ship").count))
        for step, count in (("charge", 1), ("ship", 2)):
            self.assertEqual(count, self.choose("resume", self.group(step)).context["count"])

    def test_has_buttons_for_those_who_may(self):
        """For each verb its own permission; who may only look sees none, and is refused."""
        line = self.group("charge")
        for permissions, offered in (((), set()), (("resume_workflow",), {"resume"}), (("fork_workflow",), {"fork"})):
            self.client.force_login(self.staff(f"may-{permissions}", "view_workflow", *permissions))
            page = self.client.get(FAILURES)

            for verb in ("resume", "fork"):
                self.assertEqual(verb in offered, f'value="{verb}"' in page.content.decode())
                self.assertEqual(200 if verb in offered else 403, self.choose(verb, line).status_code)

    def test_is_safe_whatever_it_is_called(self):
        """Ids, names and steps are text, also in what the buttons send."""
        fail(HOSTILE, step=HOSTILE[:50])
        Workflow.objects.filter(pk=HOSTILE).update(name=HOSTILE)
        page = self.client.get(FAILURES)
        (line,) = [line for line in page.context["lines"] if line.step == HOSTILE[:50]]

        self.assert_safe(page)
        self.assert_safe(self.choose("resume", line))


class AnObject(OperatingTestCase):
    def setUp(self):
        super().setUp()
        self.group = Group.objects.create(name="g")
        kind = ContentType.objects.get_for_model(Group)
        for key in ("lives", "fails"):
            two_marks.using(id=key).start("w")
        Workflow.objects.filter(pk="fails").update(status="failed", error=VALUE_ERROR)
        Workflow.objects.update(subject_type=kind, subject_id=str(self.group.pk))

    def page_for(self, *permissions):
        user = self.staff("-".join(("user", *permissions)), "view_workflow", *permissions)
        user.user_permissions.add(Permission.objects.get(codename="view_group"))
        request = RequestFactory().get("/groups/1/?a=b")
        request.user = user
        page = GroupAdmin(Group, admin.site).changeform_view(request, str(self.group.pk))
        return page.render().content.decode()

    def button(self, key, verb):
        return f"{self.operate_address(Target('workflow', verb, key))}?next=%2Fgroups%2F1%2F%3Fa%3Db"

    def test_has_buttons_beside_its_workflows(self):
        """Those that would change them, for those who may."""
        page = self.page_for("cancel_workflow", "resume_workflow")

        for key, verb, is_there in (
            ("lives", "cancel", True), ("lives", "resume", False), ("lives", "pause", False),
            ("fails", "cancel", False), ("fails", "resume", True), ("fails", "fork", False),
        ):  # fmt: skip
            self.assertEqual(is_there, self.button(key, verb) in page, (key, verb))
        self.assertIn(self.button("fails", "fork"), self.page_for("fork_workflow"))

    def test_has_none_for_those_who_may_only_look(self):
        """As before."""
        page = self.page_for()

        self.assertIn("workflow/lives/change/", page)
        self.assertNotIn("/operate/", page)

    def test_is_where_one_comes_back_to(self):
        """Also without having done anything."""
        address = self.button("lives", "pause")

        self.assertContains(self.client.get(address), 'href="/groups/1/?a=b"')
        self.assertEqual("/groups/1/?a=b", self.client.post(address, sheet(confirmed="1")).url)
        self.assertEqual("paused", Workflow.objects.get(pk="lives").status)


class TheOverview(OperatingTestCase):
    def test_leads_to_what_is_paused(self):
        """Those who may resume it."""
        link = f'{url("workflow", "changelist")}?status__exact=paused">Paused'
        self.assertContains(self.client.get(OVERVIEW), link)

        self.client.force_login(self.staff("looker", "view_workflow"))

        self.assertNotContains(self.client.get(OVERVIEW), link)
