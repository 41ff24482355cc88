"""Loops of worker processes that tests turn by hand."""

from types import SimpleNamespace
from unittest import mock

from django.test import TestCase

from durable_django.base import clock
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models import Queue, Schedule, Worker, Workflow
from durable_django.worker.async_pool import AsyncPool
from durable_django.worker.loop import Loop
from durable_django.worker.options import WorkerOptions
from durable_django.worker.pool import Pool
from durable_django.worker.pools import Pools
from durable_django.worker.wake import Wake
from tests.behaviour.support import eventually
from tests.rooms.test_pool import Runs
from tests.sample.promises import takes_order


class LoopTestCase(TestCase):
    """Loops with real pools, whose workflows run until the test lets them go; time moves when the test says so."""

    def setUp(self):
        self.now = 1000.0
        self.runs = Runs()
        for patched in (
            mock.patch.object(clock, "elapsed_seconds", lambda: self.now),
            mock.patch.object(attempts, "attempt", self.runs),
        ):
            patched.start()
            self.addCleanup(patched.stop)
        Queue.objects.ensure("default")
        Schedule.objects.pause()
        self.loop = self.make_loop("w")

    def make_loop(self, worker, **options):
        """Return the loop of one more process with two threads."""
        Worker.objects.register(worker, 3600, hostname="test", pid=0)
        pool = Pool("default", 2, lambda: None, lambda: None)
        self.addCleanup(self.stop, pool)
        heartbeat = SimpleNamespace(owner=Ownership(worker))
        tasks = AsyncPool("default", 2, 3, lambda: None, lambda: None)
        self.addCleanup(tasks.stop)
        return Loop("default", WorkerOptions(threads=2, **options), Pools(pool, tasks), heartbeat, Wake())

    def stop(self, pool):
        for workflow in Workflow.objects.all():
            self.runs.gate(workflow.pk).set()
        pool.stop()
        for thread in pool._threads:
            thread.join(30)

    def start(self, name, recoveries=0):
        handle = takes_order.using(id=name).start(7)
        Workflow.objects.filter(pk=name).update(recoveries=recoveries)
        return handle

    def turn(self, seconds=0.0, loop=None):
        """Let so much time pass, then do as many turns as a process does without waiting."""
        self.now += seconds
        loop = loop or self.loop
        for _ in range(10):
            if loop.turn() > 0:
                break
        self.assertEqual(0, loop._failures)

    def let_go(self, name):
        """Let a workflow end, and wait until its slot is free."""
        busy = self.loop.pools.busy
        eventually(lambda: name in self.runs.running, f"{name} runs")
        self.runs.gate(name).set()
        eventually(lambda: self.loop.pools.busy < busy, f"the slot of {name} is free")
        Workflow.objects.filter(pk=name).update(status="succeeded", worker=None)

    def held(self):
        """Return what the workers have in their hands."""
        return sorted(Workflow.objects.running().values_list("pk", flat=True))
