"""The page of one workflow: facts, timeline, values, whatever its rows hold."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.base import payloads
from durable_django.models import Queue, Step, Worker, Workflow
from durable_django.testing import run_until_idle
from tests.admin.support import HOSTILE, AdminTestCase, url
from tests.behaviour.retaining import sweep
from tests.sample.models import Mark
from tests.sample.workflows import Flaky, retried, two_marks


def finished(workflow_id, argument="w", **options):
    handle = two_marks.using(id=workflow_id, **options).start(argument)
    run_until_idle()
    return handle


class ThePage(AdminTestCase):
    def test_costs_a_fixed_number_of_queries(self):
        """For one step and for a thousand, whatever the payloads refer to."""
        finished("w1")
        with CaptureQueriesContext(connection) as few:
            self.page("w1")
        stored = payloads.encode([Mark.objects.create(label=str(number)) for number in range(5)])
        Workflow.objects.update(output=stored)
        Step.objects.bulk_create(
            Step(workflow_id="w1", position=position, name="s", attempt=1, output=stored) for position in range(3, 1000)
        )

        with self.assertNumQueries(len(few)):
            page = self.page("w1")

        self.assertLessEqual(len(few), 8)
        self.assertContains(page, f"&lt;sample.Mark {Mark.objects.last().pk}&gt;")
        self.assertContains(page, "799 earlier steps are not shown.")

    def test_shows_the_facts_that_there_are(self):
        """Each with its label; what is empty is left out."""
        finished("parent")
        finished("w1", attributes={"tenant": "acme"}, priority=7)
        Workflow.objects.filter(pk="w1").update(started_by="42", parent="parent", worker="worker-1")
        Worker.objects.register("worker-1", 60, hostname="here", pid=1)

        page = self.page("w1")

        for text in ("<dt>Priority</dt><dd>7</dd>", "<dt>Started by</dt><dd>42</dd>", "<dt>Attempt</dt><dd>1</dd>"):
            self.assertContains(page, text)
        self.assertContains(page, f'<a href="{url("workflow", "change", "parent")}">parent</a>', html=True)
        self.assertContains(page, f'<a href="{url("worker", "change", "worker-1")}">worker-1</a>', html=True)
        self.assertContains(page, "&quot;tenant&quot;: &quot;acme&quot;")
        self.assertNotContains(page, "<dt>Deadline</dt>")

    def test_says_why_a_workflow_does_not_go_on(self):
        """In one sentence beside its status."""
        Queue.objects.ensure("default")
        Queue.objects.pause()
        two_marks.using(id="w1").start("w")

        self.assertContains(self.page("w1"), "queue &#x27;default&#x27; is paused")

    def test_of_a_bare_row_says_that_the_rest_is_gone(self):
        """What is gone is not shown as empty, or as unreadable."""
        finished("w1")
        sweep(days=31)

        page = self.page("w1")

        self.assertContains(page, "its retention is over")
        self.assertNotContains(page, "Result")
        self.assertNotContains(page, "cannot be read")

    def test_shows_an_error_with_its_traceback(self):
        """Type and message first."""
        finished("w1")
        Workflow.objects.update(status="failed", error=payloads.encode_error(KeyError("card")))

        page = self.page("w1")

        self.assertContains(page, "KeyError: &#x27;card&#x27;")
        self.assertContains(page, '<span class="durable-badge durable-failed">failed</span>', html=True)

    def test_shows_long_values_over_several_lines(self):
        """As a person would write them."""
        finished("w1", {"items": ["x" * 30, "y" * 30, "z" * 30], "size": (1, 2)})

        page = self.page("w1")

        self.assertContains(page, "    {\n        &#x27;items&#x27;: [\n            &#x27;xxx")
        self.assertContains(page, "&#x27;size&#x27;: (1, 2),")

    def test_finds_ids_with_any_character(self):
        """Slashes, blanks, underscores, quotes, letters of the world."""
        for key in ("a/b", "a b", "a_2Fb", "50%", "訂單", 'q"u?o#t&e', "."):
            finished(key)
            self.assertContains(self.page(key), "sample.two_marks", msg_prefix=key)

    def test_of_nobody_leads_back(self):
        """Not to an error, also if the database could not even be asked for such an id."""
        for key in ("nobody", "a\0b", "x" * 5000):
            self.assertEqual(302, self.page(key).status_code, key)


class TheTimeline(AdminTestCase):
    def test_places_each_step_on_the_time_of_the_workflow(self):
        """A bar from its start to its end; the whole width is from creation to end."""
        finished("w1")
        row = Workflow.objects.get()
        start = row.created_at
        Workflow.objects.update(started_at=start, finished_at=start + timedelta(seconds=100))
        Step.objects.filter(position=1).update(started_at=start, finished_at=start + timedelta(seconds=25))
        Step.objects.filter(position=2).update(
            started_at=start + timedelta(seconds=50), finished_at=start + timedelta(seconds=100)
        )

        page = self.page("w1")

        self.assertContains(page, '<rect x="0" y="0" width="250" height="10"/>')
        self.assertContains(page, '<rect x="500" y="0" width="500" height="10"/>')
        self.assertContains(page, '<td class="durable-number">25.0 s</td>', html=True)

    def test_has_no_number_that_depends_on_the_locale(self):
        """A thousands separator would break the drawing."""
        finished("w1")
        start = Workflow.objects.get().created_at
        Step.objects.update(started_at=start, finished_at=start + timedelta(seconds=5000))

        with self.settings(USE_THOUSAND_SEPARATOR=True, LANGUAGE_CODE="de"):
            page = self.page("w1")

        self.assertContains(page, 'width="1000"')

    def test_shows_retries_and_the_last_error(self):
        """A step between two retries, and its workflow, which waits."""
        Flaky.failures = 1
        retried.using(id="w1").start("w")
        run_until_idle()

        page = self.page("w1")

        self.assertContains(page, '<span class="durable-badge durable-retrying">retrying</span>', html=True)
        self.assertContains(page, "tries again later after a failure")
        self.assertContains(page, "ConnectionError: the provider does not answer")

    def test_bears_clocks_that_went_back(self):
        """Moments out of order give a narrow bar, not an error."""
        finished("w1")
        start = Workflow.objects.get().created_at
        Step.objects.filter(position=1).update(started_at=start, finished_at=start - timedelta(days=1))
        Step.objects.filter(position=2).update(started_at=None, finished_at=None)
        Workflow.objects.update(finished_at=start - timedelta(seconds=1))

        self.assertEqual(200, self.page("w1").status_code)


class WhateverARowHolds(AdminTestCase):
    def test_hostile_text_is_text(self):
        """In every column of the workflow, its steps and its payloads."""
        finished(f"id {HOSTILE}", HOSTILE, attributes={HOSTILE: HOSTILE})
        columns = (
            "name", "queue", "reason", "waiting_for", "started_by", "worker", "schedule", "partition_key",
            "deduplication_key", "application", "version", "parent", "forked_from",
        )  # fmt: skip
        Workflow.objects.update(
            **dict.fromkeys(columns, HOSTILE), status="failed", error=payloads.encode_error(ValueError(HOSTILE))
        )
        Step.objects.filter(position=1).update(name=HOSTILE, branch=HOSTILE[:64])
        Step.objects.filter(position=2).update(error=payloads.encode_error(ValueError(HOSTILE)))

        page = self.page(f"id {HOSTILE}")

        self.assert_safe(page)
        self.assertContains(page, "{{ 7 }}")

    def test_what_cannot_be_read_is_told(self):
        """Damaged, of an unknown kind, too deep: the reason stands in its place."""
        finished("w1")
        for stored in ("{", "", "[" * 5000 + "]" * 5000, '{"$py": "unheard", "v": 1}', '{"$py": "enum", "v": 7}'):
            Workflow.objects.update(arguments=stored, output=stored, error=stored)
            Step.objects.filter(position=1).update(output=stored)
            Step.objects.filter(position=2).update(error=stored)
            self.assertContains(self.page("w1"), "(unreadable: ", msg_prefix=stored[:20])

    def test_large_payloads_are_cut(self):
        """Only their beginning leaves the database."""
        finished("w1")
        large = payloads.encode("<b>" * 200_000)
        Workflow.objects.update(arguments=large, output=large, error=large)
        Step.objects.update(output=large, error=large)

        page = self.page("w1")

        self.assertLess(len(page.content), 60_000)
        self.assertContains(page, "(600002 characters, too many to be shown)")
