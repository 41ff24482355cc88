"""Races at the keys and limits of queues: real threads on connections of their own, and the clock as it runs."""

import threading
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial

from django.db import connection
from django.test import TransactionTestCase

from durable_django import Debounce, DuplicateWorkflow, Rate
from durable_django.base import registry
from durable_django.models import Queue, QueueStart, Worker, Workflow, limited_claims
from durable_django.models.claims import Wanted
from tests.behaviour.claiming import SOON, claim, ids, sync
from tests.behaviour.support import row
from tests.behaviour.test_races import in_threads
from tests.sample.queued import begins, waits

#: Threads that start or claim at the same time; SQLite lets one write.
CROWD = 50 if connection.vendor == "postgresql" else 12


class ManyStartsWithOneKey(TransactionTestCase):
    def test_make_one_workflow(self):
        """Fifty at the same moment: one is it, all others hear its id."""
        found = []

        def start(number):
            try:
                found.append(begins.using(deduplication_key="k").start(str(number)).id)
            except DuplicateWorkflow as error:
                found.append(error.workflow_id)

        in_threads(*(partial(start, number) for number in range(CROWD)))

        self.assertEqual((1, CROWD), (Workflow.objects.count(), len(found)))
        self.assertEqual({Workflow.objects.get().pk}, set(found))

    def test_get_one_handle(self):
        """With return_existing nobody is refused."""
        found = []

        def start(number):
            keyed = begins.using(deduplication_key="k", on_duplicate="return_existing")
            found.append(keyed.start(str(number)).id)

        in_threads(*(partial(start, number) for number in range(CROWD)))

        self.assertEqual({Workflow.objects.get().pk}, set(found))

    def test_leave_one_alive_beside_a_resume(self):
        """Whoever is first, the resume of an older holder or a start."""
        for number in range(10):
            with self.subTest(number=number):
                key = f"k{number}"
                old = waits.using(deduplication_key=key).start("old")
                row(old).cancel()

                def resume(old=old):
                    with suppress(DuplicateWorkflow):
                        row(old).resume()

                def start(key=key):
                    with suppress(DuplicateWorkflow):
                        waits.using(deduplication_key=key).start("new")

                in_threads(resume, start)
                self.assertEqual(1, Workflow.objects.filter(deduplication_key=key, finished_at=None).count())


class CallsOfADebouncedWorkflow(TransactionTestCase):
    def test_are_never_lost_to_a_claim(self):
        """Each is in the workflow whose handle it got, or was replaced there by a later one before the claim."""
        sync()
        Queue.objects.filter(pk="ten").edit(concurrency=None)
        self.addCleanup(Queue.objects.filter(pk="ten").revert)
        Worker.objects.register("w", SOON, hostname="test", pid=0)
        quiet = begins.using(queue="ten", deduplication_key="k", debounce=Debounce(0))
        last, claimed, is_over = {}, {}, threading.Event()

        def call():
            for number in range(60):
                last[quiet.start(str(number)).id] = str(number)
            is_over.set()

        def work():
            while not is_over.is_set():
                Workflow.objects.promote()
                for workflow in Workflow.objects.claim("w", "ten", 8, names=registry.workflows.names()):
                    claimed[workflow.pk] = workflow.arguments
                    workflow.succeed("null")

        in_threads(call, work, work)
        Workflow.objects.promote()
        for workflow in Workflow.objects.claim("w", "ten", 8, names=registry.workflows.names()):
            claimed[workflow.pk] = workflow.arguments

        self.assertEqual(set(last), set(claimed))
        for workflow_id, label in last.items():
            self.assertIn(f'"{label}"', claimed[workflow_id])


class ARateUnderManyWorkers(TransactionTestCase):
    def test_is_kept_in_every_window(self):
        """By the moments that are written down, at every edge."""
        sync()
        queue = Queue.objects.filter(pk="rated")
        queue.edit(rate=Rate(5, per=0.3))
        self.addCleanup(queue.revert)
        begins.using(queue="rated").start_many([(str(number),) for number in range(200)])
        for number in range(6):
            Worker.objects.register(f"w{number}", SOON, hostname="test", pid=0)
        end = time.monotonic() + 3

        def work(number):
            wanted = Wanted("rated", 3, tuple(registry.workflows.names()))
            while time.monotonic() < end:
                for workflow in limited_claims.claim("default", f"w{number}", wanted).workflows:
                    workflow.succeed("null")

        in_threads(*(partial(work, number) for number in range(6)))

        moments = sorted(QueueStart.objects.values_list("started_at", flat=True))
        crowded = [a for a, b in zip(moments, moments[5:], strict=False) if b - a < timedelta(seconds=0.3)]
        self.assertEqual([], crowded)
        self.assertGreater(len(moments), 5)


class TwoVersionsOfTheCode(TransactionTestCase):
    def test_keep_the_limit_of_the_row(self):
        """Whatever each declares: the row is what a claim reads, and the last boot has written it."""
        sync()
        begins.using(queue="three").start_many([(str(number),) for number in range(9)])
        declared = registry.queues.declared()
        older = {**declared, "three": declared["three"].__class__(concurrency=1)}

        Queue.objects.sync(older)
        first = ids(claim("three", worker="old"))
        Queue.objects.sync(declared)
        second = ids(claim("three", worker="new"))
        Queue.objects.sync(older)

        self.assertEqual((1, 2, []), (len(first), len(second), claim("three", worker="new")))
