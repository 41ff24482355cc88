"""The failures in groups: which belong together, what is shown of them, where they lead, what they cost."""

from datetime import timedelta
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from durable_django.management import failing
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.admin.support import HOSTILE, AdminTestCase
from tests.sample.promises import fails
from tests.sample.workflows import two_marks

BUDGET = 12
FAILURES = "/admin/durable_django/overview/failures/"


class Failures(AdminTestCase):
    def test_show_messages_to_those_alone_who_may_view_payloads(self):
        """A message may hold anything; the type and the step are no secret."""
        self.fail_with("a", message="card 4711", step="charge")
        self.assertContains(self.client.get(FAILURES), "card 4711")
        self.client.force_login(self.staff("narrow", "view_workflow"))

        page = self.client.get(FAILURES)

        self.assertNotContains(page, "card 4711")
        self.assertContains(page, "ValueError")

    def test_show_no_secrets(self):
        """As no page does."""
        self.fail_with("a", message="password=hunter2 is wrong")

        page = self.client.get(FAILURES)

        self.assertContains(page, "[hidden] is wrong")
        self.assertNotContains(page, "hunter2")

    def lines(self, **address):
        return self.client.get(FAILURES, address).context["lines"]

    def fail_with(self, *keys, name="sample.two_marks", error="builtins:ValueError", message="no", step="", hours=0):
        for key in keys:
            two_marks.using(id=key).start("w")
            if step:
                Step.objects.create(workflow_id=key, position=1, name=step, attempt=1, error="{}")
        ended = {"status": "failed", "finished_at": timezone.now() - timedelta(hours=hours)}
        text = f'{{"type":"{error}","message":"{message}"}}'
        Workflow.objects.filter(pk__in=keys).update(name=name, error=text, **ended)

    def test_belong_together_by_workflow_step_and_type(self):
        """Whatever the message says; the most frequent first."""
        self.fail_with("a", "b", step="charge", message="card 1")
        self.fail_with("c", step="charge", message="card 2")
        self.fail_with("d", step="ship")
        self.fail_with("e", "f", error="shop.errors:Refused", step="charge")
        self.fail_with("g", name="sample.retried", step="charge")

        found = [(line.workflow, line.step, line.error_type, line.count) for line in self.lines()]

        self.assertEqual(
            [("sample.two_marks", "charge", "ValueError", 3), ("sample.two_marks", "charge", "Refused", 2)], found[:2]
        )
        self.assertCountEqual(
            [("sample.two_marks", "ship", "ValueError", 1), ("sample.retried", "charge", "ValueError", 1)], found[2:]
        )

    def test_are_read_from_what_a_run_has_stored(self):
        """The step that failed, and the message."""
        fails.start(LookupError('no "card" here'))
        with self.assertLogs("durable_django", "ERROR"):
            run_until_idle()

        (line,) = self.lines()

        self.assertEqual(
            ("fail", "LookupError", 'no "card" here', 1), (line.step, line.error_type, line.message, line.count)
        )
        self.assertEqual(1, len(self.shown(self.client.get(line.address))))

    def test_lead_to_the_list_of_their_workflows(self):
        """And to one of them."""
        self.fail_with("a", "b", step="charge")
        self.fail_with("c", step="ship")
        self.fail_with("d", step="charge", error="shop:Refused")

        line = self.lines()[0]

        self.assertEqual({"a", "b"}, set(self.shown(self.client.get(line.address))))
        self.assertEqual(200, self.client.get(line.example).status_code)

    def test_are_those_of_the_time_that_is_asked_for(self):
        """A day, if nothing is asked."""
        self.fail_with("a")
        self.fail_with("b", hours=3)
        self.fail_with("c", hours=50)

        counts = [
            sum(line.count for line in self.lines(**address))
            for address in ({"period": "1h"}, {}, {"period": "7d"}, {"period": "x"})
        ]

        self.assertEqual([1, 2, 3, 2], counts)

    def test_say_when_they_were_seen_first_and_last(self):
        """To the second, in the project's zone."""
        self.fail_with("a", hours=3)
        self.fail_with("b")

        (line,) = self.lines()

        self.assertLess(line.first, line.last)

    def test_are_the_newest_if_there_are_many(self):
        """The page says since when it has looked."""
        self.fail_with("a", hours=2)
        self.fail_with("b", hours=1)
        self.fail_with("c")

        with mock.patch.object(failing, "MOST_SEEN", 2):
            page = self.client.get(FAILURES)

        self.assertContains(page, "only what is newer than")
        self.assertEqual(2, sum(line.count for line in page.context["lines"]))

    def test_are_shown_whatever_their_errors_say(self):
        """Markup is text; what cannot be read has no type; what is cut off in the middle is no trouble."""
        self.fail_with("a", name=HOSTILE, step=HOSTILE[:50])
        Workflow.objects.filter(pk="a").update(error='{"type":"x:<script>alert(1)</script>","message":"<img src=x>"}')
        self.fail_with("b", name="torn")
        Workflow.objects.filter(pk="b").update(error="{")
        self.fail_with("c", name="empty")
        Workflow.objects.filter(pk="c").update(error=None)
        self.fail_with("d", name="long", message="\\u00e9" * 500)
        self.fail_with("f", name="longer", message="y" * 500)
        self.fail_with("e", name="control", message="a\\u202eb\\n")

        page = self.client.get(FAILURES)

        self.assert_safe(page)
        by_name = {line.workflow: line for line in page.context["lines"]}
        self.assertEqual(("", ""), (by_name["torn"].error_type, by_name["torn"].message))
        self.assertEqual(("", ""), (by_name["empty"].error_type, by_name["empty"].message))
        self.assertEqual({"é"}, set(by_name["long"].message))
        self.assertEqual(200, len(by_name["longer"].message))
        self.assertEqual(r"a\u202eb\n", by_name["control"].message)

    def test_take_twelve_queries_however_many_there_are(self):
        """As few for sixty groups as for one."""
        self.fail_with("a")
        with CaptureQueriesContext(connection) as few:
            self.lines()
        for number in range(60):
            self.fail_with(f"w{number}", name=f"name-{number}")
        with CaptureQueriesContext(connection) as many:
            self.assertEqual(61, len(self.lines()))

        self.assertEqual(len(few), len(many))
        self.assertLessEqual(len(many), BUDGET)

    def test_of_nobody_are_none(self):
        """The page says so."""
        self.assertContains(self.client.get(FAILURES), "Nothing has failed.")
