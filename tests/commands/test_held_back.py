"""What `manage.py durable show` says of a workflow that its queue holds back."""

from django.test import TestCase

from durable_django.base import registry
from durable_django.models import Queue, Workflow
from durable_django.testing import travel
from tests.behaviour.claiming import claim, start_ids
from tests.commands.support import answer
from tests.sample.queued import begins


def situation(workflow_id="w"):
    return answer("show", workflow_id)["situation"]


class AQueuedWorkflow(TestCase):
    def setUp(self):
        Queue.objects.sync(registry.queues.declared())

    def start(self, queue, *names, **options):
        start_ids(begins.using(queue=queue, **options), *names)

    def test_says_that_every_slot_is_taken(self):
        """Until one is free."""
        self.start("single", "a", "w")
        (first,) = claim("single")

        self.assertEqual("queue 'single' runs as many as it may: 1", situation())
        first.succeed("null")
        self.assertEqual("", situation())

    def test_says_that_every_slot_of_its_partition_is_taken(self):
        """Others of the queue say nothing."""
        self.start("one_each", "a", "w", partition_key="acme")
        claim("one_each")
        self.start("one_each", "other", partition_key="else")

        self.assertEqual("partition 'acme' of queue 'one_each' runs as many as it may: 1", situation())
        self.assertEqual("", situation("other"))

    def test_says_that_the_rate_is_used_up(self):
        """As long as it is."""
        self.start("rated", "a", "b", "c", "w")
        claim("rated")

        self.assertEqual("queue 'rated' has had its 3 starts in 60 s", situation())
        with travel(seconds=61):
            self.assertEqual("", situation())

    def test_says_that_the_rate_of_its_partition_is_used_up(self):
        """Others of the queue say nothing."""
        self.start("rated_tenants", "a", "b", "w", partition_key="acme")
        claim("rated_tenants")
        self.start("rated_tenants", "other", partition_key="else")

        self.assertEqual("partition 'acme' of queue 'rated_tenants' has had its 2 starts in 60 s", situation())
        self.assertEqual("", situation("other"))

    def test_that_has_begun_waits_for_no_rate(self):
        """Going on is no start."""
        self.start("rated", "a", "b", "c", "w")
        claim("rated")
        Workflow.objects.filter(pk="w").update(attempt=1)

        self.assertEqual("", situation())

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

        self.assertEqual("is not due yet", situation())

    def test_says_nothing_of_a_queue_that_has_no_row(self):
        """It may be of code that no worker has booted yet."""
        self.start("single", "w")
        Queue.objects.all().delete()

        self.assertEqual("", situation())
