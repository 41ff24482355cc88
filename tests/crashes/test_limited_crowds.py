"""A crowd in a queue with limits: so many are run and no more, and operators change a thousand while workers claim."""

import random
import threading
from collections import Counter

from django.db import connections

from durable_django.base import registry
from durable_django.models import Queue, QueueStart, Workflow
from tests.crashes.claim_history import ClaimHistory
from tests.crashes.harness import CrashTestCase, is_postgresql, wait_until
from tests.crashes.test_limits import most_at_a_time
from tests.postgres import PostgresServer
from tests.sample.models import Mark
from tests.sample.queued import begins, occupies

CROWD = 1000
#: How often each of two operators changes the crowd.
ROUNDS = 4


def start_crowd(count, queue="one_each", partitions=20):
    for number in range(partitions):
        keyed = occupies.using(queue=queue, partition_key=f"p{number:02}")
        keyed.start_many([(queue, 0.005)] * (count // partitions))


class WorkersThatRunSoMany(CrashTestCase):
    def setUp(self):
        super().setUp()
        Queue.objects.sync(registry.queues.declared())

    def run_workers(self, *arguments):
        workers = [self.launch_worker("--threads", "8", *arguments) for _number in range(2)]
        self.assertEqual([0, 0], [worker.wait() for worker in workers])

    def assert_run(self, count, left):
        """So many have succeeded in one attempt, and the others were not touched."""
        rows = Counter(Workflow.objects.values_list("status", "attempt", "worker"))
        self.assertEqual({("succeeded", 1, None): count, ("queued", 0, None): left}, rows)

    def test_from_a_queue_with_slots_claim_no_more(self):
        """Each of two processes seven, through three slots."""
        occupies.using(queue="three").start_many([("three", 0.01)] * 30)

        self.run_workers("--max-workflows", "7")

        self.assert_run(14, left=16)
        self.assertLessEqual(most_at_a_time("three"), 3)

    def test_from_partitions_claim_no_more(self):
        """One of each at a time."""
        start_crowd(30, partitions=3)

        self.run_workers("--max-workflows", "7")

        self.assert_run(14, left=16)

    def test_from_a_queue_with_rates_claim_no_more(self):
        """Two of each partition may start in a minute, and that would be more."""
        for number in range(10):
            keyed = begins.using(queue="rated_tenants", partition_key=f"p{number}")
            keyed.start_many([("x",)] * 3)

        self.run_workers("--max-workflows", "7")

        self.assert_run(14, left=16)
        self.assertEqual((14, 14), (QueueStart.objects.count(), Mark.objects.count()))


class AThousandInAQueueWithLimits(CrashTestCase):
    def setUp(self):
        history = ClaimHistory("one_each")
        # Before anything of the harness: at the end the workers go first.
        self.addCleanup(history.end)
        super().setUp()
        self.history = history
        Queue.objects.sync(registry.queues.declared())
        history.begin()
        Queue.objects.filter(pk="one_each").edit(concurrency=6, partition_concurrency=2)
        server = PostgresServer.of_this_run() if is_postgresql() else None
        self.log = server.folder / "log" if server else None
        self.logged = self.log.stat().st_size if self.log else 0

    def test_are_paused_resumed_and_cancelled_while_workers_claim(self):
        """Nobody falls into a deadlock, nothing is left over, and the limits hold."""
        worker = self.start_worker("--processes", "4", "--threads", "4")
        start_crowd(CROWD)
        errors = []
        threads = [
            threading.Thread(target=self.change, args=(act, errors)) for act in (self.pause_all, self.cancel_some)
        ]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Workflow.objects.resume()
        self.wait_for_more(50)
        Workflow.objects.cancel()
        self.wait_for_end()
        wait_until(lambda: not Workflow.objects.filter(worker__isnull=False).exists(), "all slots are free")

        self.assertEqual([], errors)
        self.assertEqual(0, worker.stop())
        self.assertEqual({"succeeded", "cancelled"}, set(Workflow.objects.values_list("status", flat=True)))
        self.assertEqual([], self.history.exceeding())
        self.assertNotIn("deadlock", self.said() + worker.log.read_text())

    def change(self, act, errors):
        """Do it some times, each when some more have ended."""
        try:
            for _number in range(ROUNDS):
                self.wait_for_more(10)
                act()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    def wait_for_more(self, count):
        rows = Workflow.objects.filter(status="succeeded")
        wanted = min(rows.count() + count, CROWD)
        wait_until(lambda: rows.count() >= wanted, "more have ended")

    def pause_all(self):
        Workflow.objects.pause()
        Workflow.objects.resume()

    def cancel_some(self):
        keys = random.sample([f"p{number:02}" for number in range(20)], 10)
        Workflow.objects.filter(partition_key__in=keys).cancel()
        Workflow.objects.filter(partition_key__in=keys).resume()

    def said(self):
        """Return what the server has logged during the test."""
        if self.log is None:
            return ""
        with self.log.open("rb") as file:
            file.seek(self.logged)
            return file.read().decode(errors="replace")
