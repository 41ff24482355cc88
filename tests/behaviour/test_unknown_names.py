"""Workflows whose code a worker does not have: put aside, in nobody's way, taken up as soon as the code is there."""

from django.test import TestCase

from durable_django.base import registry
from durable_django.models import Worker, Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import row
from tests.sample.promises import takes_order

KNOWN = ["sample.takes_order"]


class AnUnknownName(TestCase):
    def setUp(self):
        Worker.objects.register("w", 3600, hostname="test", pid=0)

    def start(self, name="elsewhere.ship", **options):
        handle = takes_order.using(**options).start(7)
        Workflow.objects.filter(pk=handle.id).update(name=name)
        return handle

    def claim(self, limit=10, names=KNOWN):
        return [each.pk for each in Workflow.objects.claim("w", "default", limit, names=names)]

    def test_is_not_claimed(self):
        """The row stays QUEUED without an attempt, and says that it waits for code."""
        handle = self.start()

        claimed = self.claim()

        workflow = row(handle)
        self.assertEqual([], claimed)
        self.assertEqual(("queued", 0, "code", None), (
            workflow.status, workflow.attempt, workflow.waiting_for, workflow.worker,
        ))  # fmt: skip

    def test_stands_before_nobody(self):
        """Rows behind it are claimed in the same turn or the next, however many stand before; D10."""
        for _ in range(20):
            self.start(priority=50)
        known = takes_order.start(1)

        claimed = [*self.claim(limit=5), *self.claim(limit=5)]

        self.assertEqual([known.id], claimed)

    def test_stands_before_nobody_however_many_there_are(self):
        """D10: ten thousand of them cost the next claim one walk through the index."""
        takes_order.using(priority=50).start_many([(7,)] * 10_000)
        Workflow.objects.update(name="elsewhere.ship")
        known = takes_order.start(1)

        self.assertEqual([known.id], self.claim(limit=5))

    def test_that_must_run_alone_stands_before_nobody_either(self):
        """A suspect without code is put aside, however many there are; the next one that is known is claimed."""
        unknown = [self.start(priority=50) for _ in range(20)]
        known = takes_order.start(1)
        Workflow.objects.update(recoveries=3)

        found = [Workflow.objects.claim_suspect("w", "default", names=KNOWN) for _ in range(2)]

        self.assertEqual([known.id], [each.pk for claimed in found for each in claimed])
        self.assertEqual({("code", 0)}, {(row(handle).waiting_for, row(handle).attempt) for handle in unknown})

    def test_is_looked_at_again_after_half_a_minute(self):
        """The worker that put it aside may have been the wrong one: it comes back to the queue by itself."""
        handle = self.start()
        self.claim()
        with travel(seconds=20):
            early = Workflow.objects.promote()
        with travel(seconds=31):
            later = Workflow.objects.promote()

        self.assertEqual((0, 1, ""), (early, later, row(handle).waiting_for))

    def test_is_taken_up_at_once_by_a_worker_that_knows_it(self):
        """A new worker with the code need not wait for the half minute."""
        handle = self.start()
        self.claim()

        promoted = Workflow.objects.promote_known(["elsewhere.ship"])

        self.assertEqual(1, promoted)
        self.assertEqual([handle.id], self.claim(names=["elsewhere.ship"]))

    def test_is_not_taken_up_for_others(self):
        """Workers without the code leave it aside."""
        self.start()
        self.claim()

        self.assertEqual(0, Workflow.objects.promote_known(KNOWN))

    def test_keeps_its_place_in_line(self):
        """Put aside and taken up, it stands where its start put it."""
        first = self.start()
        self.claim()
        second = self.start("elsewhere.other")
        Workflow.objects.promote_known(["elsewhere.ship"])

        self.assertEqual([first.id, second.id], self.claim(names=["elsewhere.ship", "elsewhere.other"]))

    def test_is_recovered_without_its_code(self):
        """A janitor puts an orphan back whose name it does not know; B11."""
        handle = takes_order.start(7)
        self.claim()
        Workflow.objects.filter(pk=handle.id).update(name="elsewhere.ship")
        Worker.objects.expire()

        self.assertEqual(1, Workflow.objects.recover().recovered)
        self.assertEqual("queued", row(handle).status)

    def test_is_never_imported(self):
        """A name is looked up among declared ones: a dotted path of a row runs nothing; J3."""
        for name in ("os.system", "subprocess.getoutput", "tests.sample.promises.takes_order", "", " "):
            self.start(name)

        self.assertEqual(0, run_until_idle())
        self.assertFalse(any(map(registry.workflows.knows, ("os.system", "", " "))))
