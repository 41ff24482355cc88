"""gather(): a branch that can go on at once, beside others that go on waiting."""

from functools import partial

from django.test import TestCase

import durable_django as durable
from durable_django import step, workflow
from durable_django.testing import run_until_idle


@step
def tell_itself():
    durable.send(durable.current_workflow().id, "early", "a")


def tell_and_wait():
    tell_itself()
    return durable.receive("b")


@workflow(name="sample.gathers_three")
def gathers():
    return durable.gather(partial(durable.receive, "a"), tell_and_wait, partial(durable.receive, "c"))


class WhenOneBranchCanGoOnAtOnce(TestCase):
    def test_others_are_waited_for(self):
        """What comes for one branch while another one runs lets it go on, and the others go on waiting."""
        handle = gathers.start()
        run_until_idle()
        before = handle.refresh().status
        durable.send(handle.id, 2, "b")
        durable.send(handle.id, 3, "c")

        run_until_idle()

        self.assertEqual("waiting", before)
        self.assertEqual(["early", 2, 3], handle.result())
