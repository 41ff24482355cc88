"""worker/loop.py: what one process claims, and when it claims nothing for the sake of one that must run alone."""

from unittest import mock

from durable_django.engine.ownership import Ownership
from durable_django.models import Workflow
from durable_django.models.workflow_queryset import WorkflowQuerySet
from tests.behaviour.support import eventually, row
from tests.rooms.looping import LoopTestCase


class ALoop(LoopTestCase):
    def test_claims_what_its_pool_can_take(self):
        """In the order of their turn; the rest as slots become free."""
        for name in "abc":
            self.start(name)
        self.turn()
        first = self.held()
        self.let_go("a")
        self.turn()

        self.assertEqual((["a", "b"], ["b", "c"]), (first, self.held()))

    def test_claims_nothing_more_once_an_operator_drains_it(self):
        """What it runs goes on; work that it will not claim does not keep it awake."""
        self.start("a")
        self.turn()
        self.loop.heartbeat.owner.leaving.set()
        self.start("b")
        self.turn(2)

        self.assertEqual(["a"], self.held())
        self.assertGreater(self.loop.turn(), 0.1)

    def test_holds_what_it_claims_for_its_owner(self):
        """What is in hand is nobody's stray."""
        self.start("a")
        self.turn()

        self.assertEqual({("a", 1)}, self.loop.heartbeat.owner.held)

    def test_holds_it_for_the_owner_that_has_claimed_it(self):
        """The heartbeat may register anew meanwhile; what the former owner has claimed others will take over."""
        self.start("a")
        former, claim = self.loop.heartbeat.owner, WorkflowQuerySet.claim

        def claim_and_register_anew(*args, **kwargs):
            self.loop.heartbeat.owner = Ownership("anew")
            return claim(*args, **kwargs)

        with mock.patch.object(WorkflowQuerySet, "claim", claim_and_register_anew):
            self.turn()

        self.assertEqual(({("a", 1)}, set()), (former.held, self.loop.heartbeat.owner.held))

    def test_runs_no_attempt_twice(self):
        """A server that crashed may have lost the claim, and give the workflow again."""
        self.start("a")
        self.turn()
        Workflow.objects.update(status="queued", worker=None, attempt=0)
        self.turn(2)

        self.assertEqual((["a"], 1), (self.held(), self.loop.pools.busy))


class ARing(LoopTestCase):
    def test_is_answered_by_a_second_look_though_the_first_found_nothing(self):
        """Somebody else was faster, and the ring for what came next was skipped: no poll is waited for."""
        self.turn(2)
        self.loop.ring()
        self.turn(0.1)
        self.start("late")
        self.turn(0.02)

        self.assertEqual(["late"], self.held())

    def test_is_answered_by_no_third_look(self):
        """Silence costs nothing."""
        self.turn(2)
        self.loop.ring()
        self.turn(0.1)
        self.turn(0.02)
        self.start("later")
        self.turn(0.02)

        self.assertEqual([], self.held())


class ASuspect(LoopTestCase):
    """It has lost three workers in a row."""

    def setUp(self):
        super().setUp()
        self.start("long")
        self.turn()
        self.suspect = self.start("suspect", recoveries=3)

    def test_runs_at_once_where_nothing_runs(self):
        """And nothing beside it."""
        self.let_go("long")
        self.start("other")
        self.turn(2)

        self.assertEqual((["suspect"], 0, 1), (self.held(), self.loop.pools.free(is_async=False), self.loop.pools.busy))
        eventually(lambda: self.runs.running == ["suspect"], "it runs")

    def test_is_not_claimed_by_a_process_that_is_busy(self):
        """It stays in its queue, for whoever is idle first."""
        self.turn(2)

        self.assertEqual(("queued", 0), (row(self.suspect).status, row(self.suspect).attempt))

    def test_is_taken_by_another_process_that_is_idle(self):
        """The one that held its claims back for it goes on with them."""
        self.turn(2)
        self.start("other")
        other = self.make_loop("w2")
        self.turn(loop=other)
        taken = self.held()
        self.turn(2)

        self.assertEqual((["long", "suspect"], ["long", "other", "suspect"]), (taken, self.held()))

    def test_holds_others_back_for_some_seconds(self):
        """A step may take hours: then others are claimed again."""
        self.turn(2)
        self.start("other")
        seen = []
        for seconds in (1, 8, 2):
            self.turn(seconds)
            seen.append(self.held())

        self.assertEqual([["long"], ["long"], ["long", "other"]], seen)

    def test_holds_them_back_again_after_a_minute(self):
        """Not earlier, and not only once."""
        self.turn(2)
        self.turn(11)
        seen = []
        for seconds in (1, 30, 50):
            self.turn(seconds)
            self.start(f"after-{seconds}")
            self.turn(2)
            seen.append(f"after-{seconds}" in self.held())
            if seen[-1]:
                self.let_go(f"after-{seconds}")

        self.assertEqual([True, True, False], seen)

    def test_runs_as_soon_as_the_process_is_idle(self):
        """Nobody waits for the next poll, and others wait a little longer."""
        self.turn(2)
        self.start("other")
        self.let_go("long")
        self.turn(0.1)

        self.assertEqual((["suspect"], 0), (self.held(), self.loop.may_claim(is_async=False)))

    def test_comes_after_the_others_that_waited_for_one(self):
        """Many suspects and many others take turns."""
        self.start("suspect-2", recoveries=3)
        self.start("other")
        self.let_go("long")
        self.turn(2)
        first = self.held()
        self.turn(2)
        self.let_go(first[0])
        self.turn(0.1)
        second = self.held()
        self.turn(2)
        third = self.held()
        self.let_go("other")
        self.turn(0.1)

        self.assertEqual((["suspect"], ["other"], ["other"]), (first, second, third))
        self.assertEqual(["suspect-2"], self.held())

    def test_of_another_code_stands_before_nobody(self):
        """Neither before the next suspect, nor, for the quiet that nobody here needs, in the way of others."""
        Workflow.objects.filter(pk="suspect").update(name="elsewhere.ship")
        self.start("suspect-2", recoveries=3)
        self.let_go("long")
        self.turn(2)
        self.turn(2)
        first = self.held()
        self.let_go("suspect-2")
        self.turn(2)
        self.start("other")
        self.turn(2)

        found = row(self.suspect)
        self.assertEqual((["suspect-2"], ["other"]), (first, self.held()))
        self.assertEqual(("queued", "code", 0), (found.status, found.waiting_for, found.attempt))

    def test_counts_as_one_of_max_workflows(self):
        """The process ends after so many, of whichever kind."""
        loop = self.make_loop("w2", max_workflows=1)
        self.turn(loop=loop)
        eventually(lambda: "suspect" in self.runs.running, "it runs")
        self.start("other")
        self.turn(2, loop=loop)

        self.assertEqual((1, ["long", "suspect"]), (loop.claimed, self.held()))
