"""What `manage.py durable show` says of a workflow that its queue holds back."""

from django.test import TestCase

from durable_django.base import registry
from durable_django.models import Queue, Worker, Workflow
from durable_django.testing import travel
from tests.behaviour.claiming import claim, start_ids
from tests.commands.support import answer
from tests.sample.queued import begins

TURN = "waits for its turn in queue '%s'"


def situation(workflow_id="w"):
    return answer("show", workflow_id)["situation"]


class AQueuedWorkflow(TestCase):
    def setUp(self):
        Queue.objects.sync(registry.queues.declared())
        Worker.objects.register("idle", 3600, hostname="here", pid=1)

    def start(self, queue, *names, **options):
        start_ids(begins.using(queue=queue, **options), *names)

    def test_says_that_every_slot_is_taken(self):
        """Until one is free."""
        self.start("single", "a", "w")
        (first,) = claim("single")

        self.assertEqual("queue 'single' is at 1 of 1", situation())
        first.succeed("null")
        self.assertEqual(TURN % "single", situation())

    def test_says_that_every_slot_of_its_partition_is_taken(self):
        """Others of the queue wait for their turn."""
        self.start("one_each", "a", "w", partition_key="acme")
        claim("one_each")
        self.start("one_each", "other", partition_key="else")

        self.assertEqual("partition 'acme' of queue 'one_each' is at 1 of 1", situation())
        self.assertEqual(TURN % "one_each", situation("other"))

    def test_says_that_the_rate_is_used_up(self):
        """As long as it is."""
        self.start("rated", "a", "b", "c", "w")
        claim("rated")

        self.assertRegex(
            situation(), r"^rate 3 per 60 s of queue 'rated' is used up until \w{3} [-\d]+ [:\d]+ \(\d.* s\)$"
        )
        with travel(seconds=61):
            self.assertEqual(TURN % "rated", situation())

    def test_says_that_the_rate_of_its_partition_is_used_up(self):
        """Others of the queue wait for their turn."""
        self.start("rated_tenants", "a", "b", "w", partition_key="acme")
        claim("rated_tenants")
        self.start("rated_tenants", "other", partition_key="else")

        self.assertRegex(situation(), "^rate 2 per 60 s of partition 'acme' of queue 'rated_tenants' is used up until ")
        self.assertEqual(TURN % "rated_tenants", situation("other"))

    def test_that_has_begun_waits_for_no_rate(self):
        """Going on is no start."""
        self.start("rated", "a", "b", "c", "w")
        claim("rated")
        Workflow.objects.filter(pk="w").update(attempt=1)

        self.assertEqual(TURN % "rated", situation())

    def test_says_first_that_its_queue_is_paused(self):
        """Also if it is not due yet."""
        self.start("single", "a", "w", delay=60)
        Queue.objects.filter(pk="single").pause()

        self.assertEqual("queue 'single' is paused", situation())

    def test_that_is_not_due_says_so(self):
        """However full its queue is."""
        self.start("single", "a")
        claim("single")
        self.start("single", "w", delay=60)

        self.assertRegex(situation(), r"^is not due before \w{3} [-\d]+ [:\d]+ \(in \d.* s\)$")

    def test_waits_for_its_turn_in_a_queue_that_has_no_row(self):
        """It may be of code that no worker has booted yet."""
        self.start("single", "w")
        Queue.objects.all().delete()

        self.assertEqual(TURN % "single", situation())

    def test_says_that_nobody_is_there(self):
        """Neither is one who makes plain calls, or whose lease has passed."""
        self.start("single", "w")
        Worker.objects.register("caller", 60, hostname="here", pid=2, takes_slots=False)
        Worker.objects.filter(pk="idle").expire()

        self.assertEqual("no worker is alive: start one with manage.py worker", situation())

    def test_says_that_nobody_serves_its_queue(self):
        """A worker that names no queue serves all."""
        self.start("single", "w")
        Worker.objects.filter(pk="idle").delete()
        Worker.objects.register("other", 60, hostname="here", pid=2, queues=["rated"])

        self.assertEqual("no live worker serves queue 'single'", situation())
        Worker.objects.register("this", 60, hostname="here", pid=3, queues=["rated", "single"])
        self.assertEqual(TURN % "single", situation())

    def test_says_that_it_must_run_alone(self):
        """Since workers died with it."""
        self.start("single", "w")
        Workflow.objects.update(recoveries=3)

        self.assertIn("waits to run alone in a worker, since 3 workers", situation())

    def test_says_that_its_last_attempt_has_not_let_go(self):
        """It was resumed while a thread still had it."""
        self.start("single", "w")
        Workflow.objects.update(worker="idle")

        self.assertEqual("its last attempt on worker 'idle' has not let go yet", situation())
