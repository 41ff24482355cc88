"""Limits of queues under many worker processes, some of which are killed all the while."""

import os
import random
import signal
import threading
from collections import Counter

from django.db import connections
from django.db.models import Count

from durable_django.base import registry
from durable_django.models import Queue, Workflow
from tests.crashes.harness import CrashTestCase, wait_until
from tests.sample.branching import gathers_children
from tests.sample.models import Span
from tests.sample.queued import begins, occupies, parent_of

LIMITS = {"single": 1, "three": 3, "ten": 10}


class Watcher(threading.Thread):
    """Looks all the while how many workflows of each queue are in the hands of a worker."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = Counter()
        self.ended = threading.Event()

    def run(self):
        held = Workflow.objects.filter(worker__isnull=False, queue__in=LIMITS)
        while not self.ended.wait(0.02):
            for queue, count in held.values_list("queue").annotate(Count("pk")):
                self.most[queue] = max(self.most[queue], count)
        connections.close_all()

    def stop(self):
        self.ended.set()
        self.join()


def most_at_a_time(queue):
    """Return how many steps of a queue were in at the same time, of those that came to their end."""
    spans = Span.objects.filter(queue=queue, ended_at__isnull=False).values_list("began_at", "ended_at")
    # What ends at a moment is out before what begins at it.
    changes = sorted(change for began_at, ended_at in spans for change in ((began_at, 1), (ended_at, -1)))
    most = count = 0
    for _moment, change in changes:
        count += change
        most = max(most, count)
    return most


class ManyWorkers(CrashTestCase):
    def setUp(self):
        super().setUp()
        Queue.objects.sync(registry.queues.declared())

    def test_that_are_killed_never_exceed_a_limit(self):
        """Neither by what steps have written down, nor by what is in the hands of workers."""
        worker = self.start_worker("--processes", "8", "--threads", "4")
        watcher = Watcher()
        watcher.start()
        self.addCleanup(watcher.stop)
        for queue in LIMITS:
            occupies.using(queue=queue).start_many([(queue, 0.02)] * 60)

        for number in range(1, 6):
            wait_until(lambda: Workflow.objects.finished().count() >= 25 * number, "some have ended")  # noqa: B023
            self.kill_one(worker)
        self.wait_for_end()
        watcher.stop()

        self.assertEqual({"succeeded": 180}, dict(Workflow.objects.values_list("status").annotate(Count("pk"))))
        for queue, limit in LIMITS.items():
            self.assertLessEqual(most_at_a_time(queue), limit, queue)
            self.assertLessEqual(watcher.most[queue], limit, queue)

    def kill_one(self, worker):
        """Kill one of the processes; the supervisor starts another."""
        os.kill(random.choice(worker.children), signal.SIGKILL)

    def test_that_are_killed_start_each_child_of_a_gather_once(self):
        """Two batches of them, whichever process begins or ends the parent."""
        worker = self.start_worker("--processes", "2", "--threads", "4")
        handle = gathers_children.start(*range(250))

        for number in range(1, 4):
            wait_until(lambda: Workflow.objects.finished().count() >= 50 * number, "some have ended")  # noqa: B023
            self.kill_one(worker)
            wait_until(lambda: len(worker.children) == 2, "the dead process was replaced")

        self.assertEqual([number * 2 for number in range(250)], handle.result(timeout=120))
        self.assertEqual(250, Workflow.objects.filter(parent=handle.id).count())

    def test_let_hundreds_of_children_through_one_slot(self):
        """Their parent waits in the same queue and holds none."""
        self.start_worker("--processes", "2", "--threads", "2")

        handle = parent_of.start(250)

        self.assertEqual([f"child-{number}" for number in range(250)], handle.result(timeout=120))

    def test_take_up_at_once_what_an_ended_one_made_room_for(self):
        """A queue of one slot is drained without a poll in between."""
        self.start_worker("--threads", "4", settings={"POLL_SECONDS": 30})
        begins.start_many([(str(number),) for number in range(50)])

        self.wait_for_end(seconds=20)
