"""Rates of queues under worker processes that are killed or told to end, and limits that hold their queues back."""

import os
import random
import signal
from collections import Counter

from django.db.models import Min

from durable_django import Rate
from durable_django.base import registry
from durable_django.models import Queue, QueueStart, Worker, Workflow
from tests.crashes.harness import LONG_LEASE, CrashTestCase, wait_until
from tests.sample.crashing import held_in_plain
from tests.sample.models import Mark, Span
from tests.sample.queued import begins, occupies

#: Longer than any test takes.
NEVER = 3600
MOST, WINDOW_SECONDS = 10, 1.0


class ARateUnderKills(CrashTestCase):
    def setUp(self):
        super().setUp()
        Queue.objects.sync(registry.queues.declared())
        Queue.objects.filter(pk="rated").edit(rate=Rate(MOST, per=WINDOW_SECONDS))

    def test_is_kept_in_every_window(self):
        """By the starts that were written down with the claims, and by what the steps of the workflows have written."""
        worker = self.start_worker("--processes", "4", "--threads", "4")
        for number in range(60):
            occupies.using(queue="rated", id=f"w{number}").start(f"w{number}", 0.05)

        for number in range(1, 5):
            wait_until(lambda: Workflow.objects.finished().count() >= 10 * number, "some have ended")  # noqa: B023
            os.kill(random.choice(worker.children), signal.SIGKILL)
        self.wait_for_end()

        starts = dict(QueueStart.objects.values_list("workflow", "started_at"))
        self.assertEqual((60, 60), (len(starts), QueueStart.objects.count()))
        self.assertEqual({"succeeded": 60}, Counter(Workflow.objects.values_list("status", flat=True)))
        self.assert_kept_by_starts(sorted(starts.values()))
        self.assert_kept_by_steps(starts)

    def assert_kept_by_starts(self, moments):
        """No window that is open at its end has more of them."""
        pairs = zip(moments, moments[MOST:], strict=False)
        self.assertEqual([], [pair for pair in pairs if (pair[1] - pair[0]).total_seconds() < WINDOW_SECONDS])

    def assert_kept_by_steps(self, starts):
        """A step begins after its start: at no moment more workflows had begun than the windows until then allow."""
        begun = dict(Span.objects.values_list("queue").annotate(Min("began_at")))
        self.assertEqual(set(starts), set(begun))
        self.assertEqual([], [name for name, began_at in begun.items() if began_at < starts[name]])
        first = min(starts.values())
        for count, moment in enumerate(sorted(begun.values()), 1):
            windows = int((moment - first).total_seconds() / WINDOW_SECONDS) + 1
            self.assertLessEqual(count, MOST * windows)


class AWorkerWhoseQueueIsHeldBack(CrashTestCase):
    """Neither a poll nor a window comes to an end while the test runs."""

    def setUp(self):
        super().setUp()
        Queue.objects.sync(registry.queues.declared())

    def start_idle(self):
        return self.start_worker(
            "--threads", "4", "--queues", "single,rated", settings={**LONG_LEASE, "POLL_SECONDS": NEVER}
        )

    def assert_ends(self, worker, *left):
        """It exits 0, and leaves nothing in its hands."""
        self.assertEqual(0, worker.stop())
        self.assertEqual(set(left), set(Workflow.objects.queued().filter(attempt=0).values_list("pk", flat=True)))

    def test_by_a_limit_ends_at_once(self):
        """The one slot is in the hands of another worker, which goes on."""
        other = self.start_worker("--queues", "single")
        held = held_in_plain.using(queue="single").start("w")
        self.wait_for_flag("in-w")
        worker = self.start_idle()
        begins.using(id="waits").start("waits")
        # Started behind it: who has run this one has seen that the other waits.
        begins.using(id="other", queue="rated").start("other")
        self.wait_for_end("other")

        self.assert_ends(worker, "waits")

        self.assertEqual(1, Worker.objects.alive().count())
        self.let_go_on("w")
        self.wait_for_end(held.id, "waits")
        self.assertEqual(0, other.stop())

    def test_by_a_rate_ends_at_once(self):
        """Whose window lasts for an hour."""
        Queue.objects.filter(pk="rated").edit(rate=Rate(3, per=NEVER))
        worker = self.start_idle()
        for number in range(5):
            begins.using(queue="rated", id=f"w{number}").start(f"w{number}")
        self.wait_for_end("w0", "w1", "w2")

        self.assert_ends(worker, "w3", "w4")

        self.assertEqual((3, 3), (QueueStart.objects.count(), Mark.objects.count()))
        self.assertEqual(0, Worker.objects.alive().count())
