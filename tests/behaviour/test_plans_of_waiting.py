"""Query plans of waiting and talking: a hundred thousand that wait for something else stand before nobody."""

from datetime import timedelta
from unittest import mock, skipUnless

from django.db import connection, transaction
from django.test import TestCase
from django.utils import timezone

import durable_django as durable
from durable_django.models import Event, Message, Step, StreamEntry, Workflow, awaited, bereft, locks
from durable_django.testing import run_until_idle
from tests.behaviour.crowds import crowd, rows
from tests.behaviour.retaining import ended, sweep, whole
from tests.behaviour.support import instructions, statements
from tests.behaviour.test_plans import FINISHED, Plan, analyse
from tests.sample.talking import publishes_when_told, receives, streams

WAITING = 5_000
TABLES = ("workflow", "step", "message", "event", "streamentry")


def unique(name, table):
    """Return a unique constraint's index; SQLite gives it a name of its own."""
    return name if connection.vendor == "postgresql" else f"sqlite_autoindex_durable_django_{table}_1"


class PlansOfWaiting(TestCase):
    @classmethod
    def setUpTestData(cls):
        """Many that wait for messages, events and time, with their mail, and many more that have ended."""
        now = timezone.now()
        texts = [
            *(f"message:{number}" for number in range(10)),
            *(f"event:w-{number}:a" for number in range(10)),
            "*",
            "time",
        ]
        crowd(FINISHED, status="succeeded", attempt=1, output="1", finished_at=now)
        sleepers = rows(WAITING, status="waiting", attempt=1, run_after=now + timedelta(days=1))
        for number, sleeper in enumerate(sleepers):
            sleeper.waiting_for = texts[number % len(texts)]
        Workflow.objects.bulk_create(sleepers, batch_size=5000)
        cls.fill([sleeper.pk for sleeper in sleepers])
        cls.receiver, cls.publisher = receives.start("a", None), publishes_when_told.start("a", 1)
        cls.stream = streams.start("k", *range(5))
        run_until_idle()
        analyse(*[f"durable_django_{table}" for table in TABLES])

    @classmethod
    def fill(cls, ids):
        """Give each some mail, received or not, events, entries and steps."""
        now = timezone.now()
        Message.objects.bulk_create(
            (
                Message(workflow_id=pk, topic=str(number % 3), value="1", received_at=now if number % 2 else None)
                for pk in ids[:1000]
                for number in range(18)
            ),
            batch_size=5000,
        )
        Event.objects.bulk_create(
            (Event(workflow_id=pk, key=key, value="1") for pk in ids[:2000] for key in "abc"), 5000
        )
        StreamEntry.objects.bulk_create(
            (
                StreamEntry(workflow_id=pk, key="k", offset=n, value="1", position=1)
                for pk in ids[:500]
                for n in range(20)
            ),
            5000,
        )
        Step.objects.bulk_create((Step(workflow_id=pk, position=1, name="x", attempt=1) for pk in ids), 5000)

    def plans(self, act):
        """Return the plans of the statements of an act that find rows, and see that none scans a table."""
        with statements() as seen:
            act()
        plans = [Plan(sql) for sql in seen if sql.startswith(("SELECT", "UPDATE"))]
        for plan in plans:
            scanned = {f"durable_django_{table}" for table in TABLES} & plan.scanned
            self.assertEqual(set(), scanned, f"{plan.sql}\n{plan.text}")
        return plans

    def used(self, act):
        """Return the indexes that the statements of an act use."""
        return set().union(*(plan.indexes for plan in self.plans(act)))

    def test_of_a_send(self):
        """The receiver by its id, to lock it and to wake it."""
        used = self.used(lambda: durable.send(self.receiver.id, 1, "a"))

        self.assertEqual({unique("durable_django_workflow_pkey", "workflow")}, used)

    def test_of_a_look_into_a_mailbox(self):
        """The unreceived ones of one topic, in order; what was received is in no index of it."""
        (plan,) = self.plans(lambda: Message.objects.unreceived(self.receiver.id, "a").values_list("pk").first())

        self.assertEqual({"durable_message_unreceived"}, plan.indexes)
        self.assertNotIn("Sort", plan.text)
        self.assertNotIn("TEMP B-TREE", plan.text)

    def test_of_a_key(self):
        """Whether a message has come already."""
        used = self.used(lambda: Message.objects.has(self.receiver.id, "key"))

        self.assertLessEqual(used, {unique("durable_message_key", "message"), "durable_message_unreceived"})

    def test_of_those_who_wait_for_an_event(self):
        """By what they wait for, exactly."""
        plans = self.plans(lambda: Workflow.objects.awaiting("event:w-5:a").wake())

        self.assertEqual({"durable_workflow_waiting"}, plans[0].indexes, plans[0].text)

    def test_of_their_locks(self):
        """Those of the one who sets it and of those who wait, all at once: by its id, and by what they wait for."""
        held = Workflow(id=self.publisher.id, attempt=1, worker="w")
        with transaction.atomic():
            (plan,) = self.plans(lambda: locks.lock_with_waiting(held, "event:w-5:a"))

        keys = {unique("durable_django_workflow_pkey", "workflow"), "durable_workflow_waiting"}
        self.assertEqual(keys, plan.indexes, plan.text)

    def test_of_their_locks_when_prepared(self):
        """A plan for whatever values may come, which PostgreSQL makes in time, has both indexes, too."""
        if connection.vendor != "postgresql":
            self.skipTest("SQLite knows the values that it is given")
        compiled = locks._LOCK_WITH_WAITING._compiled_for("default")
        places = [f"${number}" for number in range(1, len(compiled.template) + 1)]
        given = {"id": "'a'", "text": "'event:w-5:a'"}
        values = ", ".join(given[slot.name] for slot in compiled.template)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            cursor.execute(f"PREPARE locks_of_waiters AS {compiled.sql % tuple(places)}")
            cursor.execute(f"EXPLAIN EXECUTE locks_of_waiters({values})")
            plan = "\n".join(line for (line,) in cursor.fetchall())
            cursor.execute("DEALLOCATE locks_of_waiters")

        self.assertIn("durable_workflow_waiting", plan)
        self.assertNotIn("Seq Scan", plan)

    def test_of_those_who_wait_for_an_end(self):
        """Or for any event of the workflow, at once; then for several things."""
        plans = self.plans(lambda: Workflow.objects.wake_watchers(["w-5"]))

        self.assertEqual({"durable_workflow_waiting"}, plans[0].indexes, plans[0].text)

    def test_of_those_who_wait_in_vain(self):
        """What is waited for, each text once and in order; then those workflows by their ids."""
        # Few: of every fiftieth row of this small table, PostgreSQL may as well read it all.
        vain = Workflow.objects.filter(waiting_for__startswith="event:").order_by("pk")
        vain.filter(pk__gt=vain[20].pk).update(waiting_for="time")
        plans = self.plans(Workflow.objects.wake_bereft)

        for plan in plans:
            used = plan.indexes <= {"durable_workflow_waiting", unique("durable_django_workflow_pkey", "workflow")}
            self.assertTrue(used, plan.text)
        self.assertNotIn("Sort", plans[0].text)
        self.assertNotIn("TEMP B-TREE", plans[0].text)

    def test_of_an_attempt_that_suspends(self):
        """Its own row, its own steps."""
        handle = receives.start("b", 60)
        used = self.used(run_until_idle) - {"durable_worker_lease"}

        self.assertIn(unique("durable_step_key", "step"), used)
        self.assertEqual("waiting", handle.refresh().status)

    def test_of_what_is_due(self):
        """The earliest first, however many sleep."""
        plans = self.plans(Workflow.objects.promote)

        self.assertEqual({"durable_workflow_timer"}, plans[0].indexes)
        self.assertNotIn("Sort", plans[0].text)

    def test_of_an_event(self):
        """By workflow and key."""
        used = self.used(lambda: durable.get_event(self.publisher.id, "a", timeout=0, default=None))

        self.assertIn(unique("durable_event_key", "event"), used)

    def test_of_a_stream(self):
        """From an offset on, and from its end to append."""
        plans = self.plans(lambda: list(durable.read_stream(self.stream.id, "k", 3)))
        last = self.plans(lambda: StreamEntry.objects.append(self.stream.id, "k", ["1"], "", 9))

        for plan in (plans[1], last[0]):
            self.assertEqual({unique("durable_stream_offset", "streamentry")}, plan.indexes)
            self.assertNotIn("Sort", plan.text)
            self.assertNotIn("TEMP B-TREE", plan.text)


@skipUnless(connection.vendor == "sqlite", "PostgreSQL takes the narrowest of several bounds")
class ManyWhoWaitForEventsOfOthers(TestCase):
    @classmethod
    def setUpTestData(cls):
        """All that they wait for comes before, in the order of the index."""
        sleepers = rows(3000, status="waiting", attempt=1)
        for number, sleeper in enumerate(sleepers):
            sleeper.waiting_for = f"event:v-{number}:a"
        Workflow.objects.bulk_create(sleepers, batch_size=5000)
        cls.ids = ended(100, at=timezone.now() - timedelta(days=40))
        analyse("durable_django_workflow")

    def test_are_not_read_when_one_ends(self):
        """Of two lower bounds SQLite takes the first: that of the range, not that of the index."""
        self.assertLess(instructions(lambda: Workflow.objects.wake_watchers(self.ids[:1])), 3_000)

    def test_are_not_read_when_a_hundred_end(self):
        """As above, for all of them at once."""
        self.assertLess(instructions(lambda: Workflow.objects.wake_watchers(self.ids)), 20_000)

    def test_are_not_read_by_a_sweep(self):
        """Not for each of those that it prunes."""
        self.assertLess(instructions(sweep), 1_000 * len(self.ids))
        self.assertEqual([False] * 100, whole(*Workflow.objects.filter(pk__in=self.ids)))

    def test_are_read_once_by_who_looks_for_those_who_wait_in_vain(self):
        """Each batch begins behind the last one."""
        with mock.patch.object(bereft, "_BATCH", 100):
            took = instructions(lambda: list(bereft._texts(Workflow.objects.all(), *awaited.OF_WORKFLOWS[1])))

        self.assertLess(took, 40 * 3000)
