"""The views of health and metrics: closed by default, and what they say to those who may read them."""

import re
from unittest import mock

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError
from django.test import override_settings
from django.urls import include, path, reverse

from durable_django.models import Queue, Workflow
from durable_django.monitoring import health, measures
from durable_django.testing import run_until_idle, travel
from tests.behaviour.states import claim, workflow_in
from tests.docs.pages import page
from tests.monitoring.support import MonitoringTestCase, alive
from tests.sample.promises import takes_order
from tests.sample.queued import begins

urlpatterns = [path("durable/", include("durable_django.urls"))]

TOKEN = "a token"
NEEDED = ("view_queue", "view_schedule", "view_worker")
with_token = override_settings(DURABLE_DJANGO={"MONITORING_TOKEN": TOKEN})


@override_settings(ROOT_URLCONF=__name__)
class ViewTestCase(MonitoringTestCase):
    def get(self, name, authorization=f"Bearer {TOKEN}", method="get"):
        headers = {"Authorization": authorization} if authorization else {}
        return getattr(self.client, method)(reverse(f"durable_django:{name}"), headers=headers)

    def statuses(self, **options):
        return [self.get(name, **options).status_code for name in ("health", "metrics")]

    def samples(self):
        """Return the samples of the metrics by their text."""
        answer = self.get("metrics")
        self.assertEqual(200, answer.status_code)
        lines = answer.content.decode().splitlines()
        return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


class WhoMayRead(ViewTestCase):
    def user_with(self, *permissions):
        user = User.objects.create_user("ada")
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        self.client.force_login(user)

    def test_is_nobody_by_default(self):
        """Not without a token in the settings, whatever is sent."""
        for authorization in ("", f"Bearer {TOKEN}", "Bearer ", "Bearer", "Basic "):
            self.assertEqual([403, 403], self.statuses(authorization=authorization), authorization)

    @with_token
    def test_is_who_sends_the_token(self):
        """In the header that scrapers can be told to send, and in no other way."""
        self.assertEqual([200, 200], self.statuses())
        self.assertEqual([200, 200], self.statuses(authorization=f"bearer  {TOKEN} "))
        for authorization in ("", TOKEN, f"Basic {TOKEN}", "Bearer a", f"Bearer {TOKEN}2", "Bearer \u00fc"):
            self.assertEqual([403, 403], self.statuses(authorization=authorization), authorization)
        address = reverse("durable_django:health")
        self.assertEqual(403, self.client.get(f"{address}?token=a+token").status_code)

    def test_is_nobody_by_what_is_no_token(self):
        """A variable that is not set is not the password "None"."""
        for token, sent in ((None, "None"), ("", ""), (" ", " "), (7, "7")):
            with override_settings(DURABLE_DJANGO={"MONITORING_TOKEN": token}):
                self.assertEqual([403, 403], self.statuses(authorization=f"Bearer {sent}"), token)

    def test_is_who_sends_it_though_a_file_ended_it_by_a_line(self):
        """As files of secrets do."""
        with override_settings(DURABLE_DJANGO={"MONITORING_TOKEN": f"{TOKEN}\n"}):
            self.assertEqual([200, 200], self.statuses())

    @with_token
    @override_settings(MIDDLEWARE=[*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"])
    def test_is_a_program_though_all_people_must_log_in(self):
        """The views see to it themselves."""
        self.assertEqual(([200, 200], [403, 403]), (self.statuses(), self.statuses(authorization="")))

    def test_is_a_user_with_all_three_permissions(self):
        """To view queues, schedules and workers."""
        self.user_with(*NEEDED)

        self.assertEqual([200, 200], self.statuses(authorization=""))

    def test_is_not_a_user_who_lacks_one(self):
        """The views tell of all three."""
        self.user_with(*NEEDED[1:])

        self.assertEqual([403, 403], self.statuses(authorization=""))

    @with_token
    @override_settings(MIDDLEWARE=[])
    def test_needs_no_users_in_the_project(self):
        """Then only the token opens."""
        self.assertEqual(([200, 200], [403, 403]), (self.statuses(), self.statuses(authorization="")))

    @with_token
    def test_reads_and_does_nothing_else(self):
        """No other method is answered, and no cache keeps the answer."""
        self.assertEqual([405, 405], self.statuses(method="post"))
        self.assertEqual([200, 200], self.statuses(method="head"))
        self.assertIn("no-store", self.get("health")["Cache-Control"])


@with_token
class Health(ViewTestCase):
    def test_is_200_while_all_is_well(self):
        """With an empty list for each check."""
        answer = self.get("health")

        self.assertEqual((200, True), (answer.status_code, answer.json()["healthy"]))
        self.assertEqual([[]] * 8, list(answer.json()["checks"].values()))

    def test_is_503_if_there_is_a_problem(self):
        """Which is said."""
        begins.start("a")

        answer = self.get("health")

        self.assertEqual((503, False), (answer.status_code, answer.json()["healthy"]))
        self.assertIn("Queue single", answer.json()["checks"]["workers"][0])

    def test_is_503_while_the_database_is_away(self):
        """A page of errors would tell a monitor less."""
        with mock.patch.object(health, "look", side_effect=DatabaseError("gone")):
            answer = self.get("health")

        self.assertEqual((503, ["database"]), (answer.status_code, list(answer.json()["checks"])))


@with_token
class Metrics(ViewTestCase):
    def test_are_openmetrics(self):
        """By content type, and by the end that tells a whole answer from a cut one."""
        answer = self.get("metrics")

        self.assertEqual("application/openmetrics-text; version=1.0.0; charset=utf-8", answer["Content-Type"])
        self.assertTrue(answer.content.endswith(b"\n# EOF\n"))
        self.assertIn("# UNIT durable_queue_oldest_seconds seconds\n", answer.content.decode())

    def test_of_a_queue_are_its_depth_age_and_limits(self):
        """What runs, what waits, since when, how many may."""
        begins.using(queue="three").start_many([("a",), ("b",)])
        claim(takes_order.start(1))
        Queue.objects.filter(pk="three").pause()
        with travel(seconds=42):
            found = self.samples()

        of_three = {name: found[f'durable_queue_{name}{{queue="three"}}'] for name in ("runnable", "running", "paused")}
        self.assertEqual({"runnable": 2, "running": 0, "paused": 1}, of_three)
        self.assertTrue(42 <= found['durable_queue_oldest_seconds{queue="three"}'] < 60)
        self.assertEqual(3, found['durable_queue_concurrency{queue="three"}'])
        self.assertNotIn('durable_queue_concurrency{queue="default"}', found)
        self.assertEqual(1, found['durable_queue_running{queue="default"}'])

    def test_of_workflows_are_who_waits_and_what_became_of_the_latest(self):
        """By state."""
        workflow_in("waiting")
        workflow_in("failed")
        takes_order.using(delay=3600).start(1)
        Workflow.objects.filter(status="failed").update(created_at="2020-01-01T00:00Z")
        workflow_in("failed")
        run_until_idle()
        found = self.samples()

        self.assertEqual(1, found["durable_workflows_waiting"])
        self.assertEqual(2, found["durable_workflows_timed"])
        recent = {state: found[f'durable_workflows_recent{{status="{state}"}}'] for state in ("waiting", "failed")}
        self.assertEqual({"waiting": 1, "failed": 1}, recent)

    def test_of_workers_are_those_that_live(self):
        """And their slots."""
        alive("a", threads=4)
        alive("b", threads=8)
        alive("leaving", threads=8, is_draining=True)
        alive("dead", -1, threads=8)
        alive("web", takes_slots=False)
        found = self.samples()

        self.assertEqual(
            (2, 1, 12),
            (
                found['durable_workers{state="claiming"}'],
                found['durable_workers{state="draining"}'],
                found["durable_worker_slots"],
            ),
        )

    def test_tell_the_problems_of_each_check(self):
        """So that one alert is enough."""
        begins.start("a")

        self.assertEqual(
            (1, 0), tuple(self.samples()[f'durable_problems{{check="{each}"}}'] for each in ("workers", "queues"))
        )

    def test_escape_whatever_a_name_holds(self):
        """No queue can break a line, end a label or make up a sample."""
        Queue.objects.create(name='a"} 7\n# EOF\r\\n{b')

        text = self.get("metrics").content.decode()

        self.assertIn('durable_queue_runnable{queue="a\\"} 7\\n# EOF\\\\r\\\\n{b"} 0\n', text)
        self.assertEqual(1, len(re.findall(r"^# EOF$", text, re.MULTILINE)))

    def test_are_503_while_the_database_is_away(self):
        """Without the words of the error."""
        with mock.patch.object(measures.depths, "with_depths", side_effect=DatabaseError("password=hunter2")):
            answer = self.get("metrics")

        said = b"The database does not answer, or lacks tables: see the view of health.\n"
        self.assertEqual((503, said), (answer.status_code, answer.content))

    def test_are_all_documented(self):
        """Each gauge has a row in the table of the page, and no row is of another one."""
        told = set(re.findall(r"^# TYPE (\w+) gauge$", self.get("metrics").content.decode(), re.MULTILINE))

        self.assertEqual(
            told, set(re.findall(r"^\| `(durable_\w+)` \|", page("docs/how-to/monitor.md").text, re.MULTILINE))
        )
