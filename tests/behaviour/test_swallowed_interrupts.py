"""Workflow code that catches everything: it can delay the end of its attempt, not prevent it."""

import asyncio
import contextlib
from unittest import mock, skipUnless

from django.db import connection
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import BrokenTransaction, Retry, signals, step, workflow
from durable_django.engine import swallowed
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import acting, elsewhere, labels, row, steps
from tests.sample.looping import acts_in_async, amark
from tests.sample.models import Mark
from tests.sample.promises import act, act_atomically, acts_atomically, acts_itself
from tests.sample.workflows import mark, mark_atomically


@workflow
def swallows_everything():
    """Go on past whatever happens, with a step in each clause."""
    value = "nothing"
    try:
        value = act()
        mark("next")
    except BaseException:
        try:
            mark("except")
        except BaseException:
            Mark.objects.create(label="past the except clause")
    finally:
        try:
            mark_atomically("finally")
        except BaseException:
            Mark.objects.create(label="past the finally clause")
    return value


@workflow
def refunds_on_error():
    """What careful code does: compensate for errors."""
    try:
        act()
        mark("next")
    except Exception:
        mark("refund")


@workflow
def wraps_in_a_group():
    """As a task group does with what its tasks raise."""
    try:
        act()
        mark("next")
    except BaseException as error:
        raise BaseExceptionGroup("tasks", [error]) from error


@step(retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def fails_once():
    Mark.objects.create(label="try")
    if Mark.objects.filter(label="try").count() == 1:
        raise OSError


@workflow
def swallows_suspension():
    try:
        fails_once()
    except BaseException:
        Mark.objects.create(label="woken")
    return mark("done")


def cancel():
    Workflow.objects.get().cancel("enough")


def pause():
    Workflow.objects.get().pause()


class AnInterruptThatIsSwallowed(TestCase):
    def run_with(self, definition, body):
        handle = definition.start()
        with acting(body):
            run_until_idle()
        return handle

    def test_is_raised_again_by_every_step(self):
        """After a cancel no step runs: neither in `except BaseException` nor in `finally`."""
        handle = self.run_with(swallows_everything, cancel)

        self.assertEqual(["act"], steps(handle))
        self.assertEqual(["past the except clause", "past the finally clause"], labels())

    def test_does_not_let_the_workflow_end(self):
        """The value that the code returns all the same is no outcome."""
        for verb, status in ((cancel, "cancelled"), (pause, "paused")):
            with self.subTest(status=status):
                handle = self.run_with(swallows_everything, verb)

                self.assertEqual((status, None, None), (row(handle).status, row(handle).output, row(handle).worker))
                Workflow._base_manager.all().delete()

    def test_in_a_group_is_an_interrupt_all_the_same(self):
        """An exception group around it is not the workflow's outcome."""
        handle = self.run_with(wraps_in_a_group, cancel)

        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).error))

    def test_reaches_no_except_exception(self):
        """`except Exception: refund()` does not run because somebody paused or cancelled."""
        for verb in (cancel, pause):
            with self.subTest(verb=verb.__name__):
                self.run_with(refunds_on_error, verb)

                self.assertNotIn("refund", labels())
                Workflow._base_manager.all().delete()

    def test_of_a_suspension_waits_all_the_same(self):
        """Code that swallows it gives its thread back too, and is replayed when the time has come."""
        handle = swallows_suspension.start()
        run_until_idle()
        suspended = row(handle)
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual(("waiting", None), (suspended.status, suspended.worker))
        self.assertEqual("done", handle.refresh().result())
        self.assertEqual(["try", "woken", "try", "done"], labels())

    def test_after_a_resume_goes_on_where_it_was(self):
        """Nothing of the clauses' steps was recorded."""
        handle = self.run_with(swallows_everything, pause)
        Mark.objects.all().delete()
        row(handle).resume()
        run_until_idle()

        self.assertEqual(["act", "mark", "mark_atomically"], steps(handle))
        self.assertEqual(["next", "finally"], labels())


class CodeThatGoesOn(TestCase):
    """Past the end of its attempt, which it has caught."""

    def heard(self, definition, body):
        """Run a workflow. Return what was told of interrupts, and the handle."""
        told = []

        def hear(**facts):
            told.append((facts["workflow_id"], facts["interrupt"]))

        signals.interrupt_swallowed.connect(hear)
        self.addCleanup(signals.interrupt_swallowed.disconnect, hear)
        handle = definition.start()
        with acting(body):
            run_until_idle()
        return told, handle

    def test_is_told_of(self):
        """Once for each attempt, with what it has swallowed."""
        told, handle = self.heard(swallows_everything, cancel)

        self.assertEqual([(handle.id, "LetGo")], told)

    def test_as_another_error_is_told_of(self):
        """What it raises instead is no outcome."""

        def body():
            try:
                durable.receive(timeout=None)
            except BaseException as error:
                raise LookupError from error

        told, handle = self.heard(acts_itself, body)

        self.assertEqual(([(handle.id, "Suspended")], "waiting"), (told, row(handle).status))

    def test_is_not_code_that_cleans_up(self):
        """Neither what compensates for errors, nor what passes it on, in a group maybe, nor `finally`."""

        def body():
            try:
                durable.receive(timeout=None)
            finally:
                durable.set_event("a", 1)

        for definition, act_ in ((refunds_on_error, cancel), (wraps_in_a_group, cancel), (acts_itself, body)):
            told, _handle = self.heard(definition, act_)
            with self.subTest(definition=definition):
                self.assertEqual([], told)
            Workflow._base_manager.all().delete()

    def test_in_a_loop_is_slowed_down(self):
        """It would keep its processor busy for ever: it keeps its thread only."""
        slept = []

        def body():
            for _number in range(20):
                with contextlib.suppress(BaseException):
                    durable.receive(timeout=None)

        with mock.patch.object(swallowed.time, "sleep", slept.append):
            told, handle = self.heard(acts_itself, body)

        self.assertEqual([(handle.id, "Suspended")], told)
        self.assertEqual(sorted(slept), slept)
        self.assertEqual((11, 1.0), (len(slept), slept[-1]))

    def test_in_a_loop_lets_other_async_workflows_go_on(self):
        """It pauses where it awaits, else it would block the event loop for ever."""
        beats = []

        async def beat():
            while True:
                beats.append(None)
                await asyncio.sleep(0)

        async def body():
            beating = asyncio.create_task(beat())
            for number in range(14):
                with contextlib.suppress(BaseException):
                    await (durable.areceive, durable.asleep, amark, durable.anow)[number % 4](
                        *[(), (60,), ("again",), ()][number % 4]
                    )
            seen = len(beats)
            for _number in range(3):
                with contextlib.suppress(BaseException):
                    await durable.agather()
            beating.cancel()
            beats.append(len(beats) - seen)

        told, handle = self.heard(acts_in_async, body)

        self.assertEqual([(handle.id, "Suspended")], told)
        self.assertGreater(beats[-1], 0)
        self.assertEqual(("waiting", ["before"]), (row(handle).status, labels()))


@workflow
def swallows_everything_atomically():
    """As swallows_everything, around an atomic step."""
    try:
        act_atomically()
    except BaseException:
        try:
            mark("except")
        except BaseException:
            Mark.objects.create(label="past the except clause")


class AnAtomicStep(TransactionTestCase):
    @skipUnless(connection.vendor == "postgresql", "on SQLite nobody can write while an atomic body runs")
    def test_that_is_cancelled_from_outside_is_rolled_back_whole(self):
        """Neither effect nor checkpoint; no further step runs, whatever the code catches."""

        def body():
            Mark.objects.create(label="body")
            elsewhere(cancel)

        handle = swallows_everything_atomically.start()
        with acting(body):
            run_until_idle()

        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).worker))
        self.assertEqual(([], ["past the except clause"]), (steps(handle), labels()))

    def test_that_finds_itself_the_owner_again_is_repeated(self):
        """A crash of the server undid the claim, which was made again meanwhile: no fault of the body."""
        changes = iter([cancel])

        def body():
            Mark.objects.create(label="body")
            next(changes, lambda: None)()

        with acting(body):
            handle = acts_atomically.start()
            run_until_idle()

        self.assertEqual(("succeeded", ["before", "body", "after"]), (handle.status, labels()))

    def test_that_changes_its_own_workflow_fails(self):
        """Cancelling or pausing oneself cannot be committed with the checkpoint: a clear error, and nothing held."""
        for change in (cancel, pause):

            def body(change=change):
                Mark.objects.create(label="body")
                change()

            handle = acts_atomically.start()
            with self.subTest(change=change.__name__), acting(body):
                run_until_idle()
                with self.assertRaisesMessage(BrokenTransaction, "changed its own workflow"):
                    handle.result()
                self.assertEqual(["before"], labels())
            Workflow._base_manager.all().delete()
            Mark.objects.all().delete()
