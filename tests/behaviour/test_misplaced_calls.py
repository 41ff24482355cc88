"""Durable calls where they cannot work: other threads, the workflow's own transactions, workflows in workflows."""

import asyncio
import threading

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.test import TestCase, TransactionTestCase

import durable_django as durable
from durable_django import InsideTransaction, OutsideWorkflow, run_step, step
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, labels, row, statements, steps
from tests.sample import talking
from tests.sample.models import Mark
from tests.sample.promises import acts, acts_itself, takes_order
from tests.sample.workflows import mark, mark_atomically, two_marks


def in_thread(act):
    """Do something in another thread that has this one's context, as a user's own pool would. Return what happened."""
    import contextvars

    answer = []

    def run():
        try:
            answer.append(act())
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=[run])
    thread.start()
    thread.join(30)
    return answer[0]


class FromAnotherThread(TestCase):
    def test_a_step_is_refused(self):
        """Threads do not keep the order by which steps are numbered: OutsideWorkflow says so; G23."""
        errors = []
        with acting(lambda: errors.extend(in_thread(lambda each=each: each("x")) for each in (mark, mark_atomically))):
            handle = acts_itself.start()
            run_until_idle()

        self.assertEqual([OutsideWorkflow] * 2, [type(error) for error in errors])
        self.assertIn(f"in the thread that runs workflow {handle.id!r}", str(errors[0]))
        self.assertEqual(["before", "after"], labels())
        self.assertEqual([1, 2], list(Step.objects.order_by("position").values_list("position", flat=True)))

    def test_without_the_context_a_step_is_an_ordinary_call(self):
        """A plain thread knows nothing of the workflow: the step is a function call, recorded nowhere."""

        def ask():
            seen = []
            thread = threading.Thread(target=lambda: seen.append(run_step(lambda: "called", name="other")))
            thread.start()
            thread.join(30)
            return seen

        with acting(ask):
            handle = acts_itself.start()
            run_until_idle()

        self.assertEqual(["called"], handle.result())
        self.assertEqual(["mark_atomically", "mark"], steps(handle))

    def test_in_a_step_threads_may_call_steps(self):
        """They are parts of the outer step."""
        with acting(lambda: in_thread(lambda: step(lambda: "inner")())):
            handle = acts.start()
            run_until_idle()

        self.assertEqual("inner", handle.result())


def in_tasks(*acts):
    """Do each in a task of an event loop, all at once, as asynchronous code calls what is not. Return the answers."""

    async def main():
        return await asyncio.gather(*(sync_to_async(each)() for each in acts), return_exceptions=True)

    return async_to_sync(main)()


class FromTasksOfAnEventLoop(TransactionTestCase):
    def test_steps_are_refused(self):
        """Tasks wake in an order that no replay need repeat: they would get each other's results."""
        errors = []
        with acting(lambda: errors.extend(in_tasks(lambda: mark("a"), lambda: mark_atomically("b")))):
            handle = acts_itself.start()
            run_until_idle()

        self.assertEqual([OutsideWorkflow] * 2, [type(error) for error in errors])
        for error in errors:
            self.assertIn(f"in the code of workflow {handle.id!r} itself", str(error))
            self.assertIn("Put async_to_sync() into one step.", str(error))
        self.assertEqual(("succeeded", ["before", "after"]), (row(handle).status, labels()))
        self.assertEqual([1, 2], list(Step.objects.order_by("position").values_list("position", flat=True)))

    def test_a_step_is_refused_in_a_coroutine_too(self):
        """Called without sync_to_async it is in the loop's own thread."""

        async def main():
            mark("a")

        def body():
            async_to_sync(main)()

        handle = acts_itself.start()
        with acting(body):
            run_until_idle()

        with self.assertRaisesMessage(OutsideWorkflow, "in the code of workflow"):
            handle.result()
        self.assertEqual(["before"], labels())

    def test_in_one_step_they_may_call_steps(self):
        """As the advice says: there they are parts of the outer step, whose result is one."""
        with acting(lambda: sorted(in_tasks(lambda: mark("a"), lambda: mark("b")))):
            handle = acts.start()
            run_until_idle()

        self.assertEqual(["a", "b"], handle.result())
        self.assertEqual(["mark_atomically", "act", "mark"], steps(handle))

    def test_a_workflow_that_is_itself_run_from_a_loop_calls_its_steps(self):
        """Only code inside of the workflow's own async_to_sync() is told apart, not where the worker stands."""

        async def main():
            return await sync_to_async(run_until_idle)()

        handle = acts.start()
        with acting(lambda: "value"):
            async_to_sync(main)()

        self.assertEqual("value", handle.result())


class InTheWorkflowsOwnTransaction(TransactionTestCase):
    def assert_refused(self, body):
        handle = acts_itself.start()
        with acting(body):
            run_until_idle()
        with self.assertRaises(InsideTransaction) as caught:
            handle.result()
        self.assertIn("@step(atomic=True)", str(caught.exception))
        self.assertIsInstance(caught.exception, transaction.TransactionManagementError)
        self.assertEqual((["before"], ["mark_atomically"]), (labels(), steps(handle)))

    def test_a_step_is_refused(self):
        """A rollback would undo the checkpoint, not the effect; plain and atomic ones alike."""
        for each in (mark, mark_atomically):

            def body(each=each):
                with transaction.atomic():
                    each("inside")

            with self.subTest(step=each.name):
                Mark.objects.all().delete()
                self.assert_refused(body)

    def test_a_step_is_refused_without_autocommit_too(self):
        """A transaction by set_autocommit(False) is one."""

        def body():
            transaction.set_autocommit(False)
            mark("inside")

        self.assert_refused(body)
        self.assertTrue(transaction.get_autocommit())

    def test_the_outcome_is_written_outside(self):
        """A workflow whose code leaves its own block by an error fails as any other; its block is rolled back."""

        def body():
            with transaction.atomic():
                Mark.objects.create(label="own")
                raise LookupError("own")

        handle = acts_itself.start()
        with acting(body):
            run_until_idle()

        self.assertEqual(("failed", ["before"]), (row(handle).status, labels()))

    def test_a_block_of_its_own_without_steps_is_fine(self):
        """The workflow's own queries may use transactions."""

        def body():
            with transaction.atomic():
                Mark.objects.create(label="own")

        handle = acts_itself.start()
        with acting(body):
            run_until_idle()

        self.assertEqual(("succeeded", ["before", "own", "after"]), (row(handle).status, labels()))


class InTheTransactionOfATestCase(TestCase):
    def test_a_block_of_the_workflow_is_told_apart_from_the_tests(self):
        """Under TestCase a step runs; in a block of the workflow it is refused."""

        def body():
            with transaction.atomic():
                mark("inside")

        for body_, status in ((lambda: None, "succeeded"), (body, "failed")):
            handle = acts_itself.start()
            with acting(body_):
                run_until_idle()
            self.assertEqual(status, row(handle).status)


class ABlockingVerbInAnAsyncWorkflow(TestCase):
    def test_is_refused_and_told_what_to_write(self):
        """It would hold up every other workflow of the event loop."""
        for verb, call in {
            "sleep": lambda: durable.sleep(5),
            "receive": durable.receive,
            "send": lambda: durable.send("order-7", 1),
            "set_event": lambda: durable.set_event("a", 1),
            "get_event": lambda: durable.get_event("order-7", "a"),
            "write_stream": lambda: durable.write_stream("k", 1),
            "close_stream": lambda: durable.close_stream("k"),
        }.items():
            with acting(call):
                handle = talking.acts_async.start()
                run_until_idle()
            with self.subTest(verb=verb), self.assertRaisesMessage(OutsideWorkflow, f"Write: await a{verb}(...)."):
                handle.result()

    def test_is_told_the_twin_of_run_step(self):
        """What is called in line has no acall() of its own."""
        with acting(lambda: run_step(str.upper, "a", name="shout")):
            handle = talking.acts_async.start()
            run_until_idle()

        with self.assertRaisesMessage(OutsideWorkflow, "Step 'shout' can only be used outside of async code"):
            handle.result()
        with self.assertRaisesMessage(OutsideWorkflow, "Write: await arun_step(...)."):
            handle.result()


class AWorkflowInAStep(TestCase):
    def test_is_not_waited_for(self):
        """A call of a workflow and result() inside a step raise OutsideWorkflow before anything is written."""
        other = two_marks.start("a")
        for call in (lambda: takes_order(7), other.result):
            handle = acts.start()
            with acting(call):
                run_until_idle()
            with self.assertRaisesMessage(OutsideWorkflow, "not inside a step"):
                handle.result()
        self.assertFalse(Workflow.objects.filter(name="sample.takes_order").exists())


class ALookAtOneself(TestCase):
    def test_costs_nothing(self):
        """current_workflow() and current_step() read no row."""
        from durable_django import current_step, current_workflow

        def body():
            with statements() as seen:
                current_workflow()
                current_step()
            return len(seen)

        handle = acts.start()
        with acting(body):
            run_until_idle()

        self.assertEqual(0, handle.result())
