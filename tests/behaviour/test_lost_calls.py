"""A plain call whose lease is lost while it runs: it claims nothing under it any more, and returns the result."""

import asyncio
import time
from unittest import mock

from asgiref.sync import async_to_sync, sync_to_async
from django.test import TransactionTestCase

from durable_django.engine import context
from durable_django.models import Step, Worker, Workflow
from durable_django.models.workflow_queryset import WorkflowQuerySet
from durable_django.testing import run_until_idle
from tests.behaviour.support import LIMIT_SECONDS, acting, elsewhere, eventually, labels, presence_ends
from tests.sample.looping import acts_in_async
from tests.sample.promises import acts, acts_itself

CLAIM_ONE = WorkflowQuerySet.claim_one
MOST_CLAIMS = 20


def lose_the_lease():
    """Let others take over the process's workflows, as after a machine that slept, and wait until it has noticed."""
    elsewhere(Worker.objects.expire)
    owner = context.current_run().owner
    eventually(owner.has_passed, "the process noticed that its lease had passed")


class Body:
    """A workflow's own code that loses the lease in its first attempts. What happens then is up to the test."""

    def __init__(self, then=lambda: None, losses=1):
        self.then = then
        self.losses = losses
        self.owners = []

    def __call__(self):
        self.owners.append(context.current_run().owner.worker_id)
        if len(self.owners) <= self.losses:
            lose_the_lease()
            self.then()
        return f"call {len(self.owners)}"


class ACallThatHasLostItsLease(TransactionTestCase):
    def setUp(self):
        self.enterContext(presence_ends())
        self.claims = 0
        self.enterContext(mock.patch.object(WorkflowQuerySet, "claim_one", self.claim_one))

    def claim_one(self, workflow_id, worker_id):
        """Claim as the waiting call does, but for living workers only, and not for ever."""
        self.claims += 1
        self.assertTrue(Worker.objects.alive().filter(pk=worker_id).exists(), "it claims under a lost lease")
        self.assertLess(self.claims, MOST_CLAIMS, "it waits for ever")
        return CLAIM_ONE(Workflow.objects.all(), workflow_id, worker_id)

    def test_goes_on_under_another_one(self):
        """It registers anew, recovers the workflow from its former self and runs it to its end."""
        body = Body()
        with acting(body):
            value = acts_itself()

        workflow, (lost, present) = Workflow.objects.get(), body.owners
        self.assertEqual(("call 2", "succeeded", 2), (value, workflow.status, workflow.attempt))
        self.assertEqual(["before", "after"], labels())
        self.assertNotEqual(lost, present)
        self.assertEqual([present], list(Worker.objects.alive().values_list("pk", flat=True)))

    def test_is_interrupted_if_it_is_async(self):
        """It does not wait for what nobody may record any more."""
        calls = []

        async def body():
            calls.append(context.current_run().owner.worker_id)
            if len(calls) == 1:
                await sync_to_async(Worker.objects.expire)()
                await asyncio.sleep(LIMIT_SECONDS)
            return f"call {len(calls)}"

        began = time.monotonic()
        with acting(body):
            value = async_to_sync(acts_in_async)()

        self.assertEqual(("call 2", 2), (value, len(set(calls))))
        self.assertLess(time.monotonic() - began, LIMIT_SECONDS / 2)

    def test_may_lose_that_too(self):
        """As often as it happens, it begins anew."""
        body = Body(losses=3)
        with acting(body):
            value = acts_itself()

        self.assertEqual(("call 4", 4), (value, len(set(body.owners))))

    def test_starts_no_step_under_the_lost_one(self):
        """What had ended is still recorded, since nobody has taken over; what follows is the next attempt's."""
        with acting(Body()):
            value = acts()

        recorded = list(Step.objects.order_by("position").values_list("name", "attempt"))
        self.assertEqual("call 1", value)
        self.assertEqual([("mark_atomically", 1), ("act", 1), ("mark", 2)], recorded)

    def test_returns_what_another_worker_makes_of_it(self):
        """Which has taken over, and ended the workflow before the call could."""
        body = Body(then=lambda: elsewhere(run_until_idle))
        with acting(body):
            value = acts_itself()

        self.assertEqual(("call 2", 2), (value, Workflow.objects.get().attempt))
        self.assertEqual((["before", "after"], 2), (labels(), len(set(body.owners))))
        self.assertEqual(0, self.claims)

    def test_raises_what_another_worker_makes_of_it(self):
        """A failure there is a failure here."""

        def fail():
            with acting(lambda: 1 / 0):
                elsewhere(run_until_idle)

        with acting(Body(then=fail)), self.assertRaises(ZeroDivisionError):
            acts_itself()

        self.assertEqual("failed", Workflow.objects.get().status)
