"""The page of one workflow: facts, timeline, values, whatever its rows hold."""

import re
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import send
from durable_django.base import payloads
from durable_django.models import Event, Message, Queue, Step, StreamEntry, Worker, Workflow
from durable_django.testing import run_until_idle
from tests.admin.support import HOSTILE, AdminTestCase, url
from tests.behaviour.retaining import sweep
from tests.sample import branching, talking
from tests.sample.models import Mark
from tests.sample.workflows import Flaky, retried, two_marks

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def crowd(workflow_id, count):
    """Give a workflow so many steps, children, forks, messages, events and entries."""
    value, step = payloads.encode("x"), {"name": "s", "attempt": 1}
    Step.objects.filter(workflow_id=workflow_id).delete()
    numbers = range(1, count + 1)
    Step.objects.bulk_create(
        Step(workflow_id=workflow_id, position=number, output=value, finished_at=NOW, started_at=NOW, **step)
        for number in numbers
    )
    row = {"name": "sample.child", "arguments": "[]", "max_recoveries": 1}
    Workflow.objects.bulk_create(
        Workflow(pk=f"{column}-{number}", line=number, **{column: workflow_id}, **row)
        for number in numbers
        for column in ("parent_id", "forked_from_id")
    )
    Message.objects.bulk_create(Message(workflow_id=workflow_id, value=value, topic="t") for _number in numbers)
    Message.objects.bulk_create(
        Message(workflow_id="parent_id-1", sender=workflow_id, value=value) for _number in numbers
    )
    Event.objects.bulk_create(Event(workflow_id=workflow_id, key=f"k{number}", value=value) for number in numbers)
    StreamEntry.objects.bulk_create(
        StreamEntry(workflow_id=workflow_id, key="log", offset=number, value=value, position=1) for number in numbers
    )


def finished(workflow_id, argument="w", **options):
    handle = two_marks.using(id=workflow_id, **options).start(argument)
    run_until_idle()
    return handle


class ThePage(AdminTestCase):
    def test_costs_the_same_whatever_payloads_refer_to(self):
        """No row of the project is read."""
        finished("w1")
        mark = Mark.objects.create(label="x")
        with CaptureQueriesContext(connection) as few:
            self.page("w1")
        Workflow.objects.update(output=payloads.encode([mark] * 5))

        with self.assertNumQueries(len(few)):
            page = self.page("w1")

        self.assertContains(page, f"&lt;sample.Mark {mark.pk}&gt;")

    def test_stays_small(self):
        """However much there is of everything: what is left out is counted."""
        finished("w1")
        crowd("w1", 1000)

        page = self.page("w1")

        self.assertLess(len(page.content), 500_000)
        for text in (
            "950 earlier ones are not shown.", "950 earlier messages are not shown.",
            "steps and children are not drawn.",
        ):  # fmt: skip
            self.assertContains(page, text)

    def test_shows_the_first_steps_if_asked(self):
        """The others are one link away."""
        finished("w1")
        crowd("w1", 1000)

        page = self.client.get(url("workflow", "change", "w1"), {"steps": "first"})

        self.assertContains(page, "800 later steps are not shown.")
        self.assertContains(page, '<td class="durable-number">7</td>', html=True)
        self.assertContains(page, f'href="{url("workflow", "change", "w1")}#durable-steps"')

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

    def test_can_be_looked_at_without_time_zones(self):
        """Moments are naive then, in every state."""
        retried.using(id="retried").start("w")
        Flaky.failures = 1
        run_until_idle()
        talking.sleeps.using(id="sleeps").start(3600)
        branching.awaits_own_children.using(id="parent").start("a")
        run_until_idle()
        two_marks.using(id="later", delay=3600).start("w")
        send("parent", "hello", "other")

        with self.settings(USE_TZ=False):
            for key in ("retried", "sleeps", "parent", "later"):
                self.assertEqual(200, self.page(key).status_code, key)

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
    def lasting(self, seconds, *steps):
        """Finish a workflow that took so many seconds, with steps from one second to another."""
        finished("w1")
        start = Workflow.objects.get().created_at
        Workflow.objects.update(started_at=start, finished_at=start + timedelta(seconds=seconds))
        for position, (begun, ended) in enumerate(steps, 1):
            Step.objects.filter(position=position).update(
                started_at=start + timedelta(seconds=begun), finished_at=start + timedelta(seconds=ended)
            )

    def test_places_each_step_on_the_time_of_the_workflow(self):
        """A bar from its start to its end; the whole width is from creation to end."""
        self.lasting(100, (0, 25), (50, 100))

        page = self.page("w1")

        self.assertContains(page, '<rect class="durable-run-time" x="250" y="61" width="183.8" height="12" rx="2"/>')
        self.assertContains(page, '<rect class="durable-run-time" x="617.5" y="83" width="367.5" height="12" rx="2"/>')
        self.assertContains(page, '<td class="durable-number">25.0 s</td>', html=True)

    def test_tells_queued_time_from_running_time(self):
        """Of the workflow itself, and of its children."""
        self.lasting(100, (20, 30), (30, 100))
        Workflow.objects.update(started_at=Workflow.objects.get().created_at + timedelta(seconds=20))

        page = self.page("w1")

        self.assertContains(page, '<rect class="durable-queue-time" x="250" y="39" width="147" height="12" rx="2"/>')
        self.assertContains(page, '<rect class="durable-run-time" x="397" y="39" width="588" height="12" rx="2"/>')

    def test_folds_idle_time(self):
        """A sleep of two days leaves room for the seconds around it; a link shows it at its full length."""
        self.lasting(172_800, (0, 1), (172_799, 172_800))

        page = self.page("w1")
        whole = self.client.get(url("workflow", "change", "w1"), {"idle": "shown"})

        self.assertContains(page, "1 d 23 h in which nothing ran, folded")
        self.assertContains(page, "?idle=shown#durable-timeline")
        self.assertNotContains(whole, "in which nothing ran")
        self.assertContains(whole, "Fold idle time")

    def test_has_no_number_that_depends_on_the_locale(self):
        """A thousands separator or a comma would break the drawing."""
        self.lasting(5000.5, (0, 1250.1), (2000, 5000))

        with self.settings(USE_THOUSAND_SEPARATOR=True, LANGUAGE_CODE="de"):
            page = self.page("w1")

        drawing = re.search(
            r'<svg class="durable-timeline" viewBox="0 0 1000 \d+".*?</svg>', page.content.decode(), re.DOTALL
        )
        drawn = re.findall(r'\s(?:x|y|x1|x2|cx|cy|width|height)="([^"]*)"', drawing[0])
        self.assertEqual([], [number for number in drawn if not re.fullmatch(r"\d+(\.\d)?", number)])

    def test_has_a_line_for_now_while_the_workflow_is_live(self):
        """And not for one that has ended."""
        finished("w1")
        self.assertNotContains(self.page("w1"), 'class="durable-now"')

        Workflow.objects.update(status="paused", finished_at=None)
        self.assertContains(self.page("w1"), 'class="durable-now"')

    def test_draws_children_and_messages(self):
        """Each child as a lane that leads to it, each message as a tick."""
        branching.awaits_own_children.using(id="w1").start("a", "b")
        run_until_idle()
        child = Workflow.objects.filter(parent="w1").order_by("line").first()
        send("w1", "hello", "greeting")

        page = self.page("w1")

        self.assertContains(page, f'<a href="{url("workflow", "change", child.pk)}" tabindex="-1">')
        self.assertContains(page, "waits to be received: greeting")
        self.assertContains(page, f"child {child.pk}: waiting")

    def test_shows_retries_and_the_last_error(self):
        """A step between two retries, and its workflow, which waits."""
        Flaky.failures = 1
        retried.using(id="w1").start("w")
        run_until_idle()

        page = self.page("w1")

        self.assertContains(page, '<span class="durable-badge durable-retrying">retrying</span>', html=True)
        self.assertContains(page, "retry 1 of step &#x27;flaky&#x27; in ")
        self.assertContains(page, "1 retry")
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


class WhatIsAroundIt(AdminTestCase):
    def test_stands_on_the_page(self):
        """Mail from outside and from others, mail to others, events, streams, forks."""
        talking.receives_many.using(id="w1").start(2, "t")
        run_until_idle()
        send("w1", "from-outside", "t")
        talking.sends.using(id="sender").start("w1", "from-sender", topic="t")
        talking.publishes.using(id="publisher").start("price", 7, 8)
        talking.streams_async.using(id="streamer").start("log", "one", "two")
        run_until_idle()
        Workflow.objects.filter(pk="publisher").update(forked_from="w1")

        page = self.page("w1")

        for text in ("from-outside", "from-sender", f'<a href="{url("workflow", "change", "sender")}">sender</a>'):
            self.assertContains(page, text)
        self.assertContains(page, f'<a href="{url("workflow", "change", "publisher")}">publisher</a>')
        self.assertContains(self.page("sender"), "from-sender")
        self.assertContains(self.page("publisher"), '<code class="durable-code">8</code>')
        self.assertContains(self.page("streamer"), "stream of 2 entries")
        self.assertContains(self.page("streamer"), ">closed</span>")

    def test_leads_to_the_object_that_it_is_about(self):
        """Or names it, if it has no page."""
        user = User.objects.create_user("ada")
        finished("w1")
        for model, text in ((User, f"auth.user {user.pk}"), (Mark, f"sample.mark {user.pk}")):
            kind = ContentType.objects.get_for_model(model)
            Workflow.objects.update(subject_type=kind, subject_id=str(user.pk))
            self.assertContains(self.page("w1"), text)
        self.assertContains(self.page("w1"), "Subject")


class LivePages(AdminTestCase):
    def test_look_again_while_the_workflow_is_live(self):
        """The script reads from the page how often."""
        talking.receives.using(id="live").start("t", None)
        finished("ended")

        self.assertContains(self.page("live"), 'data-durable-live="3000"')
        self.assertContains(self.page("ended"), 'data-durable-live=""')
        self.assertContains(self.page("live"), "durable_django/live.js")

    def test_show_the_buttons_of_the_state_beside_them(self):
        """What is exchanged, is so as a whole: page, buttons, and what operators did."""
        talking.receives.using(id="live").start("t", None)
        self.client.force_login(User.objects.create_superuser("root"))
        Workflow.objects.filter(pk="live").pause()

        content = self.page("live").content.decode()

        parts = re.split(r'(?=data-durable-part=")', content)[1:]
        self.assertEqual(["buttons", "page", "records"], [part.split('"')[1] for part in parts])
        self.assertIn("/operate/resume/", parts[0])
        self.assertNotIn("/operate/", "".join(parts[1:]))

    def test_show_first_what_is_likely_wanted(self):
        """And last what cannot be undone, which is not louder."""
        talking.receives.using(id="live").start("t", None)
        self.client.force_login(User.objects.create_superuser("root"))

        found = re.findall(
            r'<li class="durable-(\w+)"><a href="[^"]*/operate/(\w+)/"', self.page("live").content.decode()
        )

        self.assertEqual(("likely", "pause"), found[0])
        self.assertEqual(("destructive", "cancel"), found[-1])
        self.assertEqual({"usual"}, {look for look, _verb in found[1:-1]})

    def test_need_no_script_and_no_style_of_their_own(self):
        """Under a strict content security policy."""
        talking.receives.using(id="live").start("t", None)

        self.assert_safe(self.page("live"))
