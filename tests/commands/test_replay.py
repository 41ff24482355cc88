"""manage.py durable replay: whether the code of today fits the histories that are under way."""

import json
from functools import partial
from io import StringIO
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase

import durable_django as durable
from durable_django import step, workflow
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import labels, waiting
from tests.sample import tasks
from tests.sample.branching import child
from tests.sample.models import Mark


class Code:
    """What today's deployment of the workflows does."""

    call = None


@step
def pack(label):
    Mark.objects.create(label=label)
    return label


@step
def stamp(label):
    Mark.objects.create(label=label)
    return label


@step
async def ship(label):
    await Mark.objects.acreate(label=label)
    return label


@workflow
def follows():
    return Code.call()


@workflow
async def follows_async():
    return await Code.call()


def deployed(call):
    """Let both do this while the block runs."""
    return mock.patch.object(Code, "call", staticmethod(call))


def packs_and_waits():
    pack("a")
    stamp("b")
    durable.receive(timeout=None)
    pack("c")


async def ships_and_waits():
    await ship("a")
    await durable.areceive(timeout=None)
    await ship("b")


def begun(call=packs_and_waits, definition=follows):
    """Let a workflow run until it waits. Return its handle."""
    with deployed(call):
        return waiting(definition.using(id="order-7"))


def replay(call, *arguments):
    """Return what the command finds if the code does this now, and whether it fails."""
    out = StringIO()
    try:
        with deployed(call):
            call_command("durable", "replay", *arguments, "--json", stdout=out)
    except CommandError as error:
        return json.loads(out.getvalue()), error.returncode
    return json.loads(out.getvalue()), 0


class ReplayTestCase(TestCase):
    def assert_fits(self, call):
        """It fits, and nothing was run, written or woken."""
        before = self.everything()
        found = replay(call)

        self.assertEqual(({"fit": 1, "misfits": []}, 0), found)
        self.assertEqual(before, self.everything())

    def assert_misfit(self, call, *words):
        """It does not, for these reasons, which is the exit code; nothing was changed either."""
        before = self.everything()
        found, code = replay(call)

        self.assertEqual((0, ["order-7"], 1), (found["fit"], [each["id"] for each in found["misfits"]], code))
        for each in words:
            self.assertIn(each, found["misfits"][0]["error"])
        self.assertEqual(before, self.everything())

    def everything(self):
        return labels(), *(list(model.objects.order_by("pk").values()) for model in (Step, Workflow))


class AHistory(ReplayTestCase):
    def test_fits_the_code_that_made_it(self):
        """It is read up to the wait; no step is run, and what comes behind it is not reached."""
        begun()

        self.assert_fits(packs_and_waits)

    def test_fits_code_that_goes_on_otherwise(self):
        """Behind what is recorded anything may be new."""
        begun()

        def goes_on():
            pack("a")
            stamp("b")
            durable.receive(timeout=None)
            stamp("new")

        self.assert_fits(goes_on)

    def test_does_not_fit_another_step(self):
        """The first divergence is told, with its place."""
        begun()

        def turned_round():
            stamp("b")
            pack("a")

        self.assert_misfit(turned_round, "NotReplayable", "step 1 was recorded as 'pack'", "now calls 'stamp'")

    def test_does_not_fit_another_wait(self):
        """Also what has no outcome yet has a name and a kind."""
        begun()

        def sleeps():
            pack("a")
            stamp("b")
            durable.sleep(3600)

        self.assert_misfit(sleeps, "step 3 was recorded as 'receive'", "now calls 'sleep'")

    def test_does_not_fit_code_that_ends_before(self):
        """Whether it returns or raises."""
        begun()

        def raises():
            pack("a")
            raise LookupError("not here")

        self.assert_misfit(lambda: pack("a"), "step 2 was recorded as 'stamp'", "now calls 'nothing more'")
        self.assert_misfit(raises, "step 2 was recorded as 'stamp'", "'nothing more, but raises LookupError: not here'")

    def test_is_rolled_back_with_what_the_code_writes(self):
        """What the workflow's own code writes between its steps stays in no table."""
        begun()

        def writes():
            Mark.objects.create(label="between")
            packs_and_waits()

        self.assert_fits(writes)

    def test_cannot_be_read_without_the_code(self):
        """Nor with arguments that the function does not take any more."""
        begun()
        Workflow.objects.update(arguments='{"args":[1],"kwargs":{}}')
        self.assert_misfit(packs_and_waits, "TypeError")
        Workflow.objects.update(name="gone.away")
        self.assert_misfit(packs_and_waits, "UnknownWorkflow", "gone.away")


class Branches(ReplayTestCase):
    def branch(self, label, first=pack):
        first(label)
        durable.receive(label, None)

    def test_are_all_read(self):
        """Each up to the end of its own history."""

        def gathers():
            durable.gather(partial(self.branch, "a"), partial(self.branch, "b"))

        def changes_the_second():
            durable.gather(partial(self.branch, "a"), partial(self.branch, "b", stamp))

        begun(gathers)

        self.assert_fits(gathers)
        self.assert_misfit(changes_the_second, "step 1.2.1 was recorded as 'pack'")

    def test_of_children_start_none(self):
        """Neither those that were started nor more of them."""

        def fans_out(count):
            return durable.gather(*(partial(child, number) for number in range(count)))

        begun(lambda: [fans_out(5), durable.receive(timeout=None)])

        self.assert_fits(lambda: [fans_out(5), durable.receive(timeout=None)])
        self.assert_fits(lambda: fans_out(9))


class AsyncWorkflows(ReplayTestCase):
    def test_are_read_as_well(self):
        """Up to the wait, or to the first divergence."""

        async def stamps():
            await stamp.acall("a")

        begun(ships_and_waits, follows_async)

        self.assert_fits(ships_and_waits)
        self.assert_misfit(stamps, "step 1 was recorded as 'ship'", "now calls 'stamp'")

    def test_have_branches(self):
        """Each up to the end of its own history."""

        async def branch(label, first):
            await first(label)
            await durable.areceive(label, None)

        async def gathers(first, second):
            await durable.agather(partial(branch, "a", first), partial(branch, "b", second))

        begun(partial(gathers, ship, ship), follows_async)

        self.assert_fits(partial(gathers, ship, ship))
        self.assert_misfit(partial(gathers, ship, stamp.acall), "step 1.2.1 was recorded as 'ship'")


class LongWork(ReplayTestCase):
    def test_shows_how_far_it_is(self):
        """A bar on the terminal, beside the answer."""
        with deployed(packs_and_waits):
            for number in range(3):
                waiting(follows.using(id=f"order-{number}"))
        terminal = StringIO()
        terminal.isatty = lambda: True

        with deployed(packs_and_waits):
            call_command("durable", "replay", stdout=StringIO(), stderr=terminal)

        drawn = terminal.getvalue()
        self.assertIn("\r[####################..........] 2 of 3\r", drawn)
        self.assertTrue(drawn.endswith("\r[##############################] 3 of 3\n"), drawn)


class Which(ReplayTestCase):
    def test_are_live_ones_with_a_history(self):
        """Neither those that have ended nor those that have not begun, nor tasks."""
        begun()
        follows.using(id="new").start()
        tasks.add.enqueue(1)
        with deployed(lambda: pack("x")):
            follows.using(id="ended").start()
            Workflow.objects.filter(pk="new").pause()
            run_until_idle()

        self.assertEqual(({"fit": 1, "misfits": []}, 0), replay(packs_and_waits))

    def test_can_be_chosen(self):
        """By ids, by filters, also those that have failed and are about to be resumed."""
        begun()
        Workflow.objects.update(status="failed")

        self.assertEqual(({"fit": 0, "misfits": []}, 0), replay(packs_and_waits))
        for arguments in (("--status", "failed"), ("order-7",), ("--id-prefix", "order", "--status", "failed")):
            self.assertEqual(1, replay(packs_and_waits, *arguments)[0]["fit"], arguments)
        with self.assertRaisesMessage(CommandError, "not both"):
            call_command("durable", "replay", "order-7", "--status", "failed")

    def test_that_were_pruned_are_an_error_if_they_are_named(self):
        """F11: there is nothing to read, which is not that it fits; filters leave them out."""
        with deployed(lambda: pack("x")):
            follows.using(id="ended").start()
            run_until_idle()
        Workflow.objects.get(pk="ended").purge(payloads_only=True)

        found = replay(packs_and_waits, "ended")
        filtered = replay(packs_and_waits, "--status", "succeeded")

        self.assertEqual(({"fit": 0, "misfits": []}, 1), found)
        self.assertEqual(({"fit": 0, "misfits": []}, 0), filtered)

    def test_are_told_to_people(self):
        """One by one, then how many fit."""
        begun()
        out = StringIO()
        with deployed(lambda: stamp("a")), self.assertRaisesMessage(CommandError, "they would be paused"):
            call_command("durable", "replay", stdout=out)

        self.assertIn("order-7  tests.follows  waiting\n  NotReplayable: Workflow order-7", out.getvalue())
        self.assertIn("0 of 1 histories fit.", out.getvalue())
