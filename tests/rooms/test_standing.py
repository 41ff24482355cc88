"""models/standing.py: all queues are looked at together, and each is found as if it were looked at alone."""

import random
from datetime import timedelta
from unittest import mock

from django.test import TestCase
from django.utils import timezone

from durable_django.management.depths import depths, with_depths
from durable_django.models import Queue, Workflow, standing
from durable_django.models.standing import oldest_seconds
from tests.behaviour.crowds import rows
from tests.behaviour.support import statements
from tests.behaviour.test_plans import TABLES, Plan, analyse

#: The first ones stay empty.
QUEUES = [f"queue-{number:02}" for number in range(40)]
HOUR = timedelta(hours=1)
#: So many of each kind are looked at: what stands behind them in its queue is not seen.
FEW = 4


def crowd(count, seed):
    """Make rows by chance: their states, queues, kinds and places, and since when they have stood there."""
    chosen, now = random.Random(seed), timezone.now()
    states = [{"status": "queued"}] * 8 + [
        {"status": "queued", "run_after": now + HOUR},
        {"status": "running", "worker": "w", "attempt": 1},
        {"status": "waiting", "waiting_for": "message:a"},
        {"status": "paused"},
        {"status": "succeeded", "finished_at": now},
    ]
    made = rows(count)
    for row in made:
        for column, value in chosen.choice(states).items():
            setattr(row, column, value)
        row.queue = chosen.choice(QUEUES[chosen.randrange(5, 30) :])
        row.is_async = chosen.random() < 0.3
        row.priority = chosen.choice((-1, 0, 0, 0, 1))
        row.recoveries = chosen.choice((0, 0, 0, 5))
        row.created_at = now - chosen.randrange(10, 1000) * HOUR
        row.runnable_at = chosen.choice((None, row.created_at + chosen.randrange(1, 10) * HOUR))
    chosen.shuffle(made)
    Workflow.objects.bulk_create(made)


def shared(each):
    """Let each queue have so many."""
    return mock.patch.multiple(standing, _SHARED=each * len(QUEUES), _FEWEST=1, _MOST=1000)


def in_line(queue):
    """Return what stands next in one queue, each kind asked alone."""
    runnable = Workflow.objects.runnable(queue)
    return [row for is_async in (False, True) for row in runnable.of_kind(is_async)[:FEW]]


def oldest_hours(queue):
    """Return for how long the oldest of those has stood there, by the rows themselves; None if there is none."""
    ages = [timezone.now() - (row.runnable_at or row.created_at) for row in in_line(queue)]
    return max(ages) // HOUR if ages else None


class ManyQueues(TestCase):
    @classmethod
    def setUpTestData(cls):
        Queue.objects.all().delete()
        Queue.objects.ensure(*QUEUES)
        Queue.objects.filter(pk__in=QUEUES[::7]).pause()
        crowd(600, seed=random.randrange(1000))
        analyse(*TABLES)

    def test_are_found_as_each_alone(self):
        """Those that are not paused, and in which something stands; as far as each is looked at."""
        expected = {name: oldest_hours(name) for name in Queue.objects.open().values_list("pk", flat=True)}
        with shared(FEW):
            found = oldest_seconds(Queue.objects.open())

        self.assertEqual(
            {name: hours for name, hours in expected.items() if hours is not None},
            {name: seconds // 3600 for name, seconds in found.items()},
        )
        self.assertTrue(20 < len(found) < 35, found)

    def test_are_counted_as_each_alone(self):
        """Together with those that are paused; one more is seen than is counted."""
        with shared(FEW):
            found = {queue.name: depth for queue, depth in with_depths(Queue.objects.order_by("name"), FEW)}
        kinds = {
            name: [Workflow.objects.runnable(name).of_kind(kind).count() for kind in (False, True)] for name in QUEUES
        }

        self.assertEqual(QUEUES, list(found))
        for name, depth in found.items():
            self.assertEqual(
                (min(sum(kinds[name]), FEW), sum(kinds[name]) > FEW, oldest_hours(name)),
                (depth.queued, depth.is_capped, depth.oldest_seconds and depth.oldest_seconds // 3600),
                name,
            )
            held = Workflow.objects.filter(queue=name, worker="w").count()
            self.assertEqual((held, None), (depth.running, depth.started))

    def test_are_read_by_one_statement(self):
        """Which probes the index of what can be claimed, and sorts none of it."""
        for act, count in ((lambda: oldest_seconds(Queue.objects.open()), 1), (lambda: depths(Queue.objects.all()), 3)):
            with statements() as seen:
                act()
            self.assertEqual(count, len(seen), seen)
            self.assert_in_order(seen)

    def test_are_read_so_where_nobody_knows_yet_how_many_there_are(self):
        """Thousands have come since the table was analysed: to sort them would take more than to look at a few."""
        Workflow.objects.bulk_create(rows(3000, status="queued", queue=QUEUES[0]))
        with statements() as seen:
            oldest_seconds(Queue.objects.all())
            with_depths(Queue.objects.all(), 10_000)

        self.assert_in_order(seen)

    def assert_in_order(self, seen):
        """What stands in line is read along its index."""
        plans = [Plan(sql) for sql in seen if "priority" in sql]
        self.assertTrue(plans, seen)
        for plan in plans:
            self.assertIn("durable_workflow_runnable", plan.indexes, plan.text)
            self.assertNotIn("durable_django_workflow", plan.scanned, plan.text)
            for sorting in ("Bitmap", "priority DESC", "TEMP B-TREE"):
                self.assertNotIn(sorting, plan.text)

    def test_share_what_is_looked_at(self):
        """A single one has most of it; however many there are, each has a few."""
        Workflow.objects.update(status="succeeded", worker=None)
        now = timezone.now()
        made = rows(6, status="queued", queue=QUEUES[0])
        for number, row in enumerate(made):
            row.created_at = now - number * HOUR
        Workflow.objects.bulk_create(made)
        found = {}
        for number in (40, 10, 2, 1):
            Queue.objects.exclude(pk__in=QUEUES[:number]).delete()
            with mock.patch.multiple(standing, _SHARED=10, _FEWEST=2, _MOST=4):
                found[number] = oldest_seconds(Queue.objects.all())[QUEUES[0]] // 3600 + 1

        self.assertEqual({40: 2, 10: 2, 2: 4, 1: 4}, found)
        self.assertEqual(5, oldest_seconds(Queue.objects.all())[QUEUES[0]] // 3600)
