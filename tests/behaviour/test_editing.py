"""set_attributes, set_priority, reschedule: what operators change of workflows that are there already."""

from datetime import UTC, datetime, timedelta
from functools import partial

from django.test import TestCase
from django.utils import timezone

import durable_django as durable
from durable_django import NotSerializable, PayloadTooLarge
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.states import ENDED, LIVE, STATES, claim, workflow_in
from tests.behaviour.support import acting, labels, row, waiting
from tests.sample import branching, talking
from tests.sample.looping import acts_in_async
from tests.sample.promises import acts, acts_atomically, acts_itself, takes_order


class Attributes(TestCase):
    def test_are_set_one_by_one(self):
        """As dict.update() does: what is not named stays."""
        handle = acts.using(attributes={"a": 1, "b": 1}).start()
        changed = row(handle).set_attributes({"b": 2, "key with blanks": None}, c=[3])

        self.assertTrue(changed)
        self.assertEqual({"a": 1, "b": 2, "c": [3], "key with blanks": None}, row(handle).attributes)
        self.assertEqual(1, Workflow.objects.filter(attributes__c=[3]).count())

    def test_are_set_in_any_state(self):
        """They are for the queries of people."""
        for state in STATES:
            workflow_in(state)

        self.assertEqual(len(STATES), Workflow.objects.set_attributes(seen=True))
        self.assertEqual(len(STATES), Workflow.objects.filter(attributes__seen=True).count())

    def test_are_json(self):
        """Nothing is changed otherwise, nor if they become too large."""
        handle = acts.using(attributes={"a": 1}).start()
        for error, value in ((NotSerializable, object()), (NotSerializable, "\0"), (PayloadTooLarge, "x" * 2**20)):
            with self.assertRaises(error):
                row(handle).set_attributes(a=value)

        self.assertEqual({"a": 1}, row(handle).attributes)

    def test_take_the_place_of_what_is_no_object(self):
        """Other hands have written it: a list cannot be added to, and is no error."""
        handle = acts.start()
        for damage in ([1], "x", 5):
            Workflow.objects.filter(pk=handle.id).update(attributes=damage)

            self.assertTrue(row(handle).set_attributes(a=1), damage)
            self.assertEqual({"a": 1}, row(handle).attributes)

    def test_of_what_was_pruned_stay_gone(self):
        """What people had written into it was to go."""
        handle = workflow_in("succeeded")
        row(handle).purge(payloads_only=True)

        self.assertEqual((False, {}), (row(handle).set_attributes(a=1), row(handle).attributes))


class APriority(TestCase):
    def test_changes_the_turn(self):
        """The larger one is claimed first."""
        first, second = acts.start(), acts.start()
        row(second).set_priority(5)
        claimed = claim(first), row(second)

        self.assertEqual(5, claimed[1].priority)
        self.assertLess(-claimed[1].priority, -claimed[0].priority)

    def test_is_that_of_live_ones(self):
        """Of the seven states, four."""
        for state in STATES:
            with self.subTest(state=state):
                self.assertEqual(state in LIVE, row(workflow_in(state)).set_priority(7))

    def test_is_a_whole_number_within_bounds(self):
        """As at a start."""
        for wrong in (101, -101, 1.5, True, "1"):
            with self.subTest(wrong=wrong), self.assertRaisesMessage(ValueError, "priority must be a whole number"):
                Workflow.objects.set_priority(wrong)


class ANewMoment(TestCase):
    def soon(self, **delta):
        return timezone.now() + timedelta(**delta)

    def test_moves_a_start(self):
        """Earlier, later, now."""
        handle = acts.using(delay=3600).start()
        for seconds, ran in ((7200, 0), (60, 1)):
            row(handle).reschedule(run_after=self.soon(seconds=seconds))
            with travel(seconds=3700 if seconds > 3600 else 61):
                self.assertEqual(ran, run_until_idle())
        later = acts.using(delay=3600).start()
        row(later).reschedule()

        self.assertEqual(1, run_until_idle())

    def test_wakes_a_sleeper_now(self):
        """Its sleep is over: it does not fall asleep again."""
        handle = waiting(talking.sleeps, 3600)
        changed = row(handle).reschedule()
        run_until_idle()

        self.assertEqual((True, "after", ["before", "after"]), (changed, handle.refresh().result(), labels()))

    def test_lets_a_sleeper_sleep_longer(self):
        """Until that moment, and no earlier."""
        handle = waiting(talking.sleeps, 60)
        row(handle).reschedule(run_after=self.soon(hours=1))
        with travel(seconds=70):
            early = run_until_idle()
        with travel(seconds=3700):
            run_until_idle()

        self.assertEqual((0, "succeeded"), (early, row(handle).status))

    def test_makes_a_retry_now(self):
        """The step is called at once."""
        handle = workflow_in("waiting")
        row(handle).reschedule()
        run_until_idle()

        self.assertEqual("failed", row(handle).status)

    def test_moves_the_sleep_that_would_end_first(self):
        """Of several branches; the others sleep on."""
        handle = waiting(branching.gathers, a=60, b=3600)
        row(handle).reschedule()
        run_until_idle()

        self.assertEqual(["a-1", "b-1", "a-2"], labels())
        self.assertEqual("waiting", row(handle).status)

    def test_is_nothing_for_who_waits_for_others(self):
        """Messages, events, ends; nor for what is paused, runs or has ended."""
        handles = [waiting(talking.receives, "t", 3600), waiting(branching.starts_and_lingers, 1)]
        handles += [workflow_in(state) for state in (*ENDED, "paused", "running")]

        self.assertEqual([False] * len(handles), [row(each).reschedule() for each in handles])

    def test_must_be_one(self):
        """A naive one is none while USE_TZ is on."""
        for error, wrong in (
            (TypeError, 5),
            (ValueError, datetime(2030, 1, 1)),
            (ValueError, datetime(1, 1, 1, tzinfo=UTC)),
        ):
            with self.assertRaises(error):
                Workflow.objects.reschedule(run_after=wrong)


class VerbsInAWorkflow(TestCase):
    """They are steps of it."""

    def called(self, act):
        """Let a workflow do it, and be called again from the beginning. Return what it got each time."""
        found = []

        def body():
            found.append(act())
            durable.receive(timeout=None)
            return found[-1]

        with acting(body):
            handle = waiting(acts_itself)
            durable.send(handle.id, 1)
            run_until_idle()
        return handle, found

    def test_are_recorded(self):
        """A replay gets the same answer, and changes nothing again."""
        others = [takes_order.using(delay=3600).start(number) for number in range(2)]
        rows = Workflow.objects.filter(pk__in=[each.id for each in others])
        for name, verb in {
            "pause": rows.pause,
            "resume": rows.resume,
            "set_priority": partial(rows.set_priority, 5),
            "set_attributes": partial(rows.set_attributes, a=1),
            "reschedule": partial(rows.reschedule, run_after=timezone.now() + timedelta(hours=2)),
            "cancel": rows.cancel,
            "fork": partial(rows.fork, from_step=1),
            "purge": rows.purge,
        }.items():
            with self.subTest(verb=name):
                handle, found = self.called(verb)

                self.assertEqual([2, 2], found)
                self.assertIn((name, name), row(handle).steps.values_list("name", "kind"))

    def test_of_a_row_are_recorded(self):
        """With what they say."""
        other = takes_order.start(7)
        Workflow.objects.filter(pk=other.id).pause()
        _handle, found = self.called(Workflow.objects.get(pk=other.id).cancel)

        self.assertEqual([True, True], found)

    def test_fork_once(self):
        """Each call of the code gets the same fork, also of one whose record was lost."""
        other = takes_order.start(7)

        def act():
            return Workflow.objects.get(pk=other.id).fork().pk

        _handle, found = self.called(act)

        self.assertEqual(found[0], found[1])
        self.assertEqual(1, Workflow.objects.filter(forked_from=other.id).count())

    def test_join_a_step(self):
        """There they are a part of it: of an atomic one, gone if that is rolled back."""
        other = acts.using(delay=3600).start()

        def act():
            Workflow.objects.filter(pk=other.id).cancel()
            raise LookupError

        with acting(act):
            handle = waiting(acts_atomically)

        self.assertEqual(("failed", "queued"), (row(handle).status, row(other).status))
        self.assertEqual(0, row(handle).steps.filter(kind="cancel").count())

    def test_may_meet_the_workflow_itself(self):
        """Cancelled by its own hand, the verb is recorded, and nothing else begins."""
        with acting(lambda: Workflow.objects.filter(pk=durable.current_workflow().id).cancel("enough")):
            handle = waiting(acts_itself)

        self.assertEqual(("cancelled", None), (row(handle).status, row(handle).worker))
        self.assertEqual(
            ["mark_atomically", "cancel"], list(row(handle).steps.order_by("position").values_list("name", flat=True))
        )

    def test_are_refused_by_an_event_loop(self):
        """An async workflow puts them into a step."""
        with acting(lambda: talking.calls(Workflow.objects.cancel)):
            handle = waiting(acts_in_async)

        (error,) = handle.result()
        self.assertIn("put it into a step", str(error))
