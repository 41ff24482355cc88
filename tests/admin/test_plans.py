"""Query plans of the page of a workflow: many others, with all that they have around them, stand before none."""

from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.utils import timezone

from durable_django.base.clock import Now
from durable_django.management import history, surroundings
from durable_django.management.reasons.asking import why
from durable_django.models import Event, Message, Queue, Step, StreamEntry, Worker, Workflow
from durable_django.models.queue import QueueStart
from tests.behaviour.crowds import rows
from tests.behaviour.support import statements
from tests.behaviour.test_plans import Plan, analyse

MANY = 20_000
#: Tables of which a scan would cost more with everything that there is in them.
GROWING = ("workflow", "step", "message", "event", "streamentry", "queuestart")


class PlansOfThePage(TestCase):
    @classmethod
    def setUpTestData(cls):
        """Twenty thousand workflows that have ended, every second one with a parent, an origin, mail and values."""
        now = timezone.now()
        ended = rows(MANY, status="succeeded", attempt=1, output="1", finished_at=now, started_at=now)
        for number, row in enumerate(ended):
            if number % 2:
                row.parent_id = row.forked_from_id = ended[number // 10].pk
        Workflow.objects.bulk_create(ended, batch_size=5000)
        some = [row.pk for row in ended[:3000]]
        Step.objects.bulk_create(Step(workflow_id=pk, position=n, name="s", attempt=1) for pk in some for n in (1, 2))
        Message.objects.bulk_create(
            Message(workflow_id=pk, value="1", sender=some[-1 - number // 5]) for number, pk in enumerate(some)
        )
        Message.objects.bulk_create(Message(workflow_id=pk, value="1") for pk in some for _number in range(3))
        Event.objects.bulk_create(Event(workflow_id=pk, key="k", value="1") for pk in some)
        StreamEntry.objects.bulk_create(
            StreamEntry(workflow_id=pk, key="k", offset=n, position=1, value="1") for pk in some for n in (0, 1)
        )
        QueueStart.objects.bulk_create(QueueStart(queue=f"q{n % 50}", workflow="w") for n in range(5000))
        Queue.objects.ensure("q1")
        Queue.objects.update(
            rate_limit=1000, rate_seconds=60, concurrency=1000, is_partitioned=True, partition_concurrency=5,
            partition_rate_limit=1000, partition_rate_seconds=60,
        )  # fmt: skip
        Worker.objects.register("w", 600, hostname="here", pid=1)
        Workflow.objects.filter(pk__in=some[:3]).update(worker="w", status="running", queue="q1", partition_key="a")
        cls.page = some[100]
        analyse(*[f"durable_django_{table}" for table in GROWING])

    def plans(self, act):
        """Return the plans of the questions of an act."""
        with statements() as seen:
            act()
        return [Plan(sql) for sql in seen if sql.startswith("SELECT")]

    def used(self, act):
        """Return the indexes that the statements of an act use, and see that none scans a table that grows."""
        plans = self.plans(act)
        for plan in plans:
            scanned = {f"durable_django_{table}" for table in GROWING} & plan.scanned
            self.assertEqual(set(), scanned, f"{plan.sql}\n{plan.text}")
        return set().union(*(plan.indexes for plan in plans))

    def row(self):
        found = surroundings.counted(history.without_payloads(Workflow.objects.filter(pk=self.page)))
        return found.get()

    def test_of_the_row_and_its_steps(self):
        """With what it has around it counted, each by its own index."""
        used = self.used(lambda: history.read(self.row(), 200, redact=None))

        names = {"durable_workflow_parent", "durable_workflow_fork", "durable_message_sender"}
        self.assertLessEqual(names, used)

    def test_of_what_it_has_sent(self):
        """One probe: a text that is collated otherwise than the id would have the whole index read."""
        if connection.vendor == "sqlite":
            self.skipTest("SQLite compares all texts byte by byte")

        (plan, *_others) = [plan for plan in self.plans(self.row) if "durable_message_sender" in plan.indexes]

        self.assertRegex(plan.text, r'"Index Cond": "\(?\(\(sender\)::text = ')

    def test_of_what_is_around_it(self):
        """Relatives, mail, events, streams."""
        row = self.row()

        used = self.used(lambda: surroundings.look(row))

        self.assertNotIn("durable_workflow_created", used)

    def test_of_why_it_waits(self):
        """In each state: its queue, its steps, its children, its worker."""
        later = timezone.now() + timedelta(hours=1)
        rows_of_page = Workflow.objects.filter(pk=self.page)
        for changes in (
            {"status": "queued", "attempt": 0, "queue": "q1", "partition_key": "a"},
            {"status": "queued", "attempt": 1, "run_after": later},
            {"status": "waiting", "waiting_for": "*", "run_after": later},
            {"status": "running", "worker": "w"},
        ):
            with self.subTest(changes):
                rows_of_page.update(**changes)
                found = list(rows_of_page.annotate(now=Now()))
                self.used(lambda found=found: why(found, lambda _name, value: value))
