"""Parents wait for the ends of workflows without a thread, and get what came of them as if they had run it."""

from django.db import connection
from django.test import TestCase

import durable_django as durable
from durable_django import ResultTimeout, WorkflowCancelled, WorkflowFailed, WorkflowHandle, WorkflowNotFound
from durable_django.models import Step, Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import acting, labels, row, statements, waiting
from tests.sample import branching
from tests.sample.branching import child, children_of, mark, waiting_child
from tests.sample.promises import acts_itself


class TheErrorOfAChild(TestCase):
    def test_is_raised_in_the_parent_as_itself(self):
        """The code catches it by its class, at every replay again."""
        handle = waiting(branching.calls_what_fails, KeyError("stock"))

        self.assertEqual("KeyError: 'stock'", handle.result())

    def test_that_nobody_catches_ends_the_parent(self):
        """With the same error."""
        with acting(lambda: branching.failing_child(LookupError("gone"))):
            handle = waiting(acts_itself)

        with self.assertRaisesMessage(LookupError, "gone"):
            handle.result()

    def test_whose_class_is_not_loaded_names_the_child(self):
        """WorkflowFailed tells which workflow failed, not which one asked."""
        handle = waiting(branching.awaits_end_of, waiting_child.using(id="unlucky").start().id)
        Workflow.objects.filter(pk="unlucky").update(
            status="failed",
            error='{"type": "gone.module:Error", "message": "out of luck", "args": []}',
            finished_at="2020-01-01T00:00:00Z",
        )
        Workflow.objects.filter(pk=handle.id).wake()
        run_until_idle()

        with self.assertRaises(WorkflowFailed) as caught:
            handle.result()
        self.assertEqual(("unlucky", "out of luck"), (caught.exception.workflow_id, caught.exception.error))

    def test_of_a_cancelled_child_is_workflow_cancelled(self):
        """With its id and the reason."""
        handle = waiting(branching.awaits_own_children, "a")
        Workflow.objects.get(parent=handle.id).cancel("not needed")
        run_until_idle()

        with self.assertRaisesMessage(WorkflowCancelled, "not needed") as caught:
            handle.result()
        self.assertEqual(children_of(handle), [caught.exception.workflow_id])

    def test_that_the_parent_has_seen_stays(self):
        """The outcome is recorded: a child that is resumed later changes nothing in the parent."""

        def body():
            try:
                waiting_child.using(id="child").start().result()
            except WorkflowCancelled:
                mark("seen")
            return durable.receive(timeout=None)

        with acting(body):
            handle = acts_itself.start()
            run_until_idle()
            WorkflowHandle("child").workflow.cancel("first")
            run_until_idle()
            WorkflowHandle("child").workflow.resume()
            durable.send("child", "late")
            durable.send(handle.id, "end")
            run_until_idle()

        self.assertEqual("late", WorkflowHandle("child").result())
        self.assertEqual("end", handle.refresh().result())
        self.assertEqual(1, labels().count("seen"))


class AParentThatWaits(TestCase):
    def test_holds_nothing(self):
        """It is WAITING for the end of that child, without a worker, and without a moment to look again."""
        handle = waiting(branching.awaits_end_of, waiting_child.using(id="child").start().id)
        found = row(handle)

        self.assertEqual(("waiting", "child:child"), (found.status, found.waiting_for))
        self.assertEqual((None, None), (found.worker, found.run_after))

    def test_is_woken_by_the_end(self):
        """Whichever end it is, and by nothing before it."""
        handle = waiting(branching.awaits_end_of, waiting_child.using(id="child").start().id)
        with travel(days=1):
            idle = run_until_idle()
        durable.send("child", "done")
        run_until_idle()

        self.assertEqual((0, "done", 2), (idle, handle.refresh().result(), row(handle).attempt))

    def test_is_woken_by_a_workflow_that_is_no_child(self):
        """result() of a stranger wakes as promptly."""
        stranger = waiting(waiting_child)
        first, second = (waiting(branching.awaits_end_of, stranger.id) for _ in range(2))
        durable.send(stranger.id, 5)
        run_until_idle()

        self.assertEqual((5, 5), (first.result(), second.result()))

    def test_of_an_ended_workflow_does_not_wait(self):
        """What is there already is taken at once, in the same attempt."""
        ended = waiting(child, 4)

        handle = waiting(branching.awaits_end_of, ended.id)

        self.assertEqual((8, 1), (handle.result(), row(handle).attempt))

    def test_for_too_long_gets_result_timeout(self):
        """By the database's clock, once and for all; the child goes on."""
        handle = waiting(branching.awaits_end_of, waiting_child.using(id="child").start().id, 60)
        with travel(seconds=61):
            run_until_idle()
        durable.send("child", "late")
        run_until_idle()

        with self.assertRaises(ResultTimeout) as caught:
            handle.result()
        self.assertEqual(("child", "late"), (caught.exception.workflow_id, WorkflowHandle("child").result()))

    def test_for_what_is_not_there_is_told(self):
        """WorkflowNotFound, also when the row is deleted meanwhile."""
        never = waiting(branching.awaits_end_of, "never-started")
        deleted = waiting(branching.awaits_end_of, waiting_child.using(id="child").start().id, 60)
        Workflow._base_manager.filter(pk="child").delete()
        with travel(seconds=61):
            run_until_idle()

        for handle in (never, deleted):
            with self.assertRaises(WorkflowNotFound):
                handle.refresh().result()

    def test_for_itself_is_refused(self):
        """That would never end."""
        for wait in ("awaits_end_of", "awaits_first", "awaits_all"):
            argument = "self" if wait == "awaits_end_of" else ["self"]
            handle = waiting(getattr(branching, wait).using(id="self"), argument)
            with self.subTest(wait=wait), self.assertRaisesMessage(ValueError, "its own end"):
                handle.result()
            Workflow._base_manager.all().delete()

    def test_in_a_chain_of_fifty_holds_no_thread(self):
        """One thread runs fifty levels of calls: each waits for the one below it."""
        handle = waiting(branching.nests, 50)

        self.assertEqual((50, 51), (handle.result(), Workflow.objects.count()))


class WaitingForSeveral(TestCase):
    def start(self, *ids):
        return [waiting(waiting_child.using(id=each)).id for each in ids]

    def end(self, workflow_id):
        durable.send(workflow_id, f"{workflow_id} has ended")
        run_until_idle()

    def test_first_answers_with_the_one_that_ended_first(self):
        """Once it has, and at every replay the same."""
        handle = waiting(branching.awaits_own_children, "a", "b")
        found = children_of(handle)
        durable.send(found[1], "second", "b")
        run_until_idle()

        self.assertEqual("second", handle.result())

    def test_first_of_own_children_is_woken_by_them_alone(self):
        """No looking again and again while they live."""
        handle = waiting(branching.awaits_own_children, "a", "b")

        self.assertEqual(("*", None), (row(handle).waiting_for, row(handle).run_after))

    def test_first_of_strangers_is_looked_for(self):
        """Nobody wakes it for them: it looks every second."""
        handle = waiting(branching.awaits_first, self.start("a", "b"))
        durable.send("b", 1)
        run_until_idle()
        before = row(handle).status
        with travel(seconds=2):
            run_until_idle()

        self.assertEqual(("waiting", "b"), (before, handle.refresh().result()))

    def test_first_that_ended_long_ago_is_found_at_once(self):
        """Of several that have ended, the one that did so first."""
        ids = self.start("a", "b", "c")
        self.end("c")
        self.end("a")

        handle = waiting(branching.awaits_first, ids)

        self.assertEqual(("c", 1), (handle.result(), row(handle).attempt))

    def test_all_goes_on_when_the_last_has_ended(self):
        """Well or badly, in whatever order; it waits for one after the other, and is woken by strangers, too."""
        handle = waiting(branching.awaits_all, self.start("a", "b", "c"))
        seen = [row(handle).waiting_for]
        for workflow_id in ("b", "c"):
            self.end(workflow_id)
            seen.append(row(handle).waiting_for)
        Workflow.objects.filter(pk="a").cancel()
        run_until_idle()

        self.assertEqual(["child:c", "child:c", "child:a"], seen)
        self.assertEqual("all have ended", handle.refresh().result())

    def test_all_of_many_children_is_woken_a_few_times(self):
        """A hundred that end while it sleeps wake it once, not a hundred times."""
        handle = waiting(branching.awaits_own_children, *map(str, range(100)), is_for_all=True)
        *others, last = children_of(handle)
        for number, workflow_id in enumerate(others):
            durable.send(workflow_id, None, str(number))
        run_until_idle()
        before = row(handle).attempt
        durable.send(last, None, "99")
        run_until_idle()

        self.assertEqual((1, 2, "succeeded"), (before, row(handle).attempt, row(handle).status))

    def test_too_long_is_result_timeout(self):
        """For the first and for all."""
        handles = [
            waiting(wait, self.start(f"a{n}"), 60)
            for n, wait in enumerate([branching.awaits_first, branching.awaits_all])
        ]
        with travel(seconds=61):
            run_until_idle()

        for handle in handles:
            with self.assertRaises(ResultTimeout):
                handle.refresh().result()


class TheCostOfAChild(TestCase):
    def test_of_an_end_that_nobody_waits_for_is_one_statement(self):
        """Only who is watched takes the slow way."""
        handle = child.start(4)
        with statements() as seen:
            run_until_idle()

        updates = [sql for sql in seen if sql.startswith('UPDATE "durable_django_workflow"') and "finished_at" in sql]
        self.assertEqual((1, "succeeded"), (len(updates), row(handle).status))


class AHistoryWithChildren(TestCase):
    def test_that_does_not_fit_any_more_diverges(self):
        """Another workflow started at the position of a child: the parent is paused, with both names."""
        handle = acts_itself.start()
        with acting(lambda: waiting_child.start().result()):
            run_until_idle()
        durable.send(f"{handle.id}/2", None)
        with acting(lambda: child.start(1).result()):
            run_until_idle()

        self.assertEqual("paused", row(handle).status)
        self.assertIn("'sample.waiting_child' but the code now calls 'sample.child'", row(handle).reason)

    def test_is_the_same_on_every_database(self):
        """Kinds and names of its steps."""
        handle = waiting(branching.starts_many, 1)

        kinds = list(Step.objects.filter(workflow=handle.id).order_by("position").values_list("kind", "name"))
        self.assertEqual([("start_many", "sample.child"), ("result", "result")], kinds, connection.vendor)
