"""Two releases at a time that declare other limits for the same queue, while processes of both are killed."""

import os
import random
import signal

from durable_django.base import registry
from durable_django.models import Queue, Workflow
from tests.crashes.claim_history import ClaimHistory
from tests.crashes.harness import CrashTestCase, wait_until
from tests.crashes.test_limits import most_at_a_time
from tests.sample.queued import occupies

OLD, NEW = 6, 2


class TwoReleases(CrashTestCase):
    def setUp(self):
        history = ClaimHistory("changing")
        # Before anything of the harness: at the end the workers go first.
        self.addCleanup(history.end)
        super().setUp()
        self.history = history
        self.queue = Queue.objects.filter(pk="changing")
        Queue.objects.sync(registry.queues.declared())
        history.begin()
        self.releases = {}
        for limit in (OLD, NEW):
            self.releases[limit] = self.start_release(limit)

    def start_release(self, limit):
        worker = self.start_worker("--processes", "2", "--threads", "4", environment={"DURABLE_TEST_LIMIT": str(limit)})
        self.wait_for_both(worker)
        return worker

    def wait_for_both(self, worker):
        """Wait until both processes have declared their limits; meanwhile there is always something to claim."""
        wait_until(lambda: self.see_to_work() and worker.ready_count() == 2, "both processes claim")

    def see_to_work(self):
        if Workflow.objects.queued().count() < 20:
            occupies.using(queue="changing").start_many([("changing", 0.02)] * 20)
        return True

    def kill_one(self, limit):
        """Kill a process of a release; the supervisor starts another one, which declares the limit of its code."""
        worker = self.releases[limit]
        os.kill(random.choice(worker.children), signal.SIGKILL)
        wait_until(lambda: worker.ready_count() < 2, "the dead one is known")
        self.wait_for_both(worker)

    def limit(self):
        return self.queue.values_list("concurrency", flat=True).get()

    def assert_kept(self):
        """All have succeeded, and no claim went beyond the limit of its moment, nor a step beyond all of them."""
        self.wait_for_end()
        self.assertEqual({"succeeded"}, set(Workflow.objects.values_list("status", flat=True)))
        self.assertEqual(0, Workflow.objects.filter(worker__isnull=False).count())
        self.assertEqual([], self.history.exceeding())
        self.assertLessEqual(most_at_a_time("changing"), max(self.history.limits()))

    def test_keep_the_limit_that_was_declared_last(self):
        """Whoever boots last decides, also as the successor of one that was killed."""
        victims = random.sample([OLD, NEW, OLD, NEW], 4)
        found = [self.limit()]

        for victim in victims:
            self.kill_one(victim)
            found.append(self.limit())

        self.assertEqual([NEW, *victims], found)
        told = [OLD, NEW, *victims]
        changes = [limit for number, limit in enumerate(told) if number == 0 or told[number - 1] != limit]
        self.assertEqual(changes, self.history.limits())
        self.assert_kept()

    def test_keep_the_limit_of_an_operator(self):
        """It wins over the code of both, over restarts of single processes and of a whole release."""
        self.queue.edit(concurrency=1)
        self.kill_one(OLD)
        self.kill_one(NEW)
        self.assertEqual(0, self.releases[OLD].stop())
        self.releases[OLD] = self.start_release(OLD)

        self.assertEqual((1, True), self.queue.values_list("concurrency", "is_edited").get())
        self.assertEqual([OLD, NEW, 1], self.history.limits())
        self.assert_kept()
