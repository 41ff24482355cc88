"""Operators who press at the same moment, or while a worker is at it: the database decides who does what."""

import threading
from collections import Counter
from functools import partial

from django.test import TransactionTestCase

import durable_django as durable
from durable_django.models import Event, EventChange, Message, Step, StreamEntry, Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.states import workflow_in
from tests.behaviour.support import acting, elsewhere, labels, row, waiting
from tests.behaviour.test_followers import refunds, sells
from tests.behaviour.test_forking import tells
from tests.behaviour.test_races import in_threads
from tests.behaviour.test_resuming_trees import BROKEN, delivers_below
from tests.sample.promises import acts, acts_itself
from tests.stress import races

PRESSES = 5
TURNS = 10


def pressed(act):
    """Do the same in several threads at the same moment. Return what each got: a value or an error."""
    found = []

    def press():
        try:
            found.append(act())
        except Exception as error:
            found.append(error)

    in_threads(*[press] * PRESSES)
    return found


def pressed_together(*acts):
    """Do each in a thread of its own at the same moment. Return what each got, in order."""
    found = {}

    def press(number, act):
        try:
            found[number] = act()
        except Exception as error:
            found[number] = error

    in_threads(*(partial(press, number, act) for number, act in enumerate(acts)))
    return [found[number] for number in range(len(acts))]


class AForkThatIsPressedTwice(TransactionTestCase):
    def test_is_made_once(self):
        """F4: with an id, each gets the same row; of many, one of them makes it."""
        handle = tells.start(1, 2)
        run_until_idle()
        forks = pressed(lambda: row(handle).fork(from_step=4, id="fork").pk)
        counts = pressed(lambda: Workflow.objects.filter(pk=handle.id).fork(from_step=4))

        self.assertEqual(["fork"] * PRESSES, forks)
        self.assertEqual(1, sum(counts), counts)
        self.assertEqual(3, Step.objects.filter(workflow="fork").count())
        self.assertEqual(3, Workflow.objects.count())


class AForkOfARunningWorkflow(TransactionTestCase):
    def test_shares_exactly_the_steps_before_it(self):
        """F5: from every step, under load: events and entries of these steps, no mail, the origin undisturbed."""
        turns, forks = 8, {}
        handle = tells.start(*range(turns))
        durable.send(handle.id, "mail")

        def fork():
            for place in range(1, 3 * turns + 1):
                forks[row(handle).fork(from_step=place).pk] = place

        forking = threading.Thread(target=elsewhere, args=[fork])
        forking.start()
        # The forks that come in time are run, too: each of them ends as its origin does.
        run_until_idle()
        forking.join()
        run_until_idle()

        self.assertEqual(turns - 1, handle.result())
        self.assertEqual(3 * turns, len(forks))
        for pk, place in forks.items():
            shared = Step.objects.filter(workflow=pk, attempt=0)
            self.assertLess(max(shared.values_list("position", flat=True), default=0), place)
            self.assertEqual(0, Message.objects.filter(workflow=pk).count())
            self.assertEqual(turns - 1, durable.get_handle(pk).result())
            self.assert_whole(pk, turns)

    def assert_whole(self, pk, turns):
        """Nothing is missing, and nothing is there twice."""
        self.assertEqual(
            [*range(1, 3 * turns + 2)],
            [*Step.objects.filter(workflow=pk).values_list("position", flat=True).order_by("position")],
        )
        self.assertEqual([*range(turns)], list(durable.read_stream(pk, "all")))
        self.assertEqual(2 * turns, StreamEntry.objects.filter(workflow=pk, key="other").count())
        self.assertEqual(2 * turns, EventChange.objects.filter(workflow=pk).count())
        self.assertEqual({str(turns - 1)}, set(Event.objects.filter(workflow=pk).values_list("value", flat=True)))


class AResumeThatIsPressedTwice(TransactionTestCase):
    def test_has_one_effect(self):
        """F4: one press resumes it, the others find it resumed."""
        for state in ("failed", "cancelled", "paused"):
            with self.subTest(state=state):
                handle = workflow_in(state)
                pressed_by = pressed(lambda handle=handle: row(handle).resume())

                self.assertEqual([False] * (PRESSES - 1) + [True], sorted(pressed_by))
                self.assertEqual("queued", row(handle).status)

    def test_has_one_effect_on_a_tree(self):
        """F4: with its children, too: each goes on once, and the parent once."""
        self.addCleanup(BROKEN.clear)
        names = ["a", "b", "c"]
        with acting(lambda: durable.gather(*(partial(delivers_below, name, ["below"]) for name in names))):
            BROKEN.add("below")
            handle = waiting(acts_itself)
            BROKEN.clear()
            pressed_by = pressed(lambda: row(handle).resume(children=True))
            run_until_idle()

        self.assertEqual([False] * (PRESSES - 1) + [True], sorted(pressed_by))
        self.assertEqual(names, handle.refresh().result())
        # The step that failed ran once more in each of the three; what comes behind it ran once.
        self.assertEqual({"below": 6, "a": 1, "b": 1, "c": 1, "before": 1, "after": 1}, Counter(labels()))


class AnEndThatIsFollowed(TransactionTestCase):
    def test_is_followed_by_what_fits_it(self):
        """F1: failed or cancelled, whoever is first: one workflow follows, and the one for that end."""
        races.register()
        for turn in range(TURNS):
            with self.subTest(turn=turn), acting(lambda: 1 / 0):
                handle = sells.start(turn)
                attempt = races.attempt(handle)
                pressed_together(attempt, lambda handle=handle: row(handle).cancel())
                status = row(handle).status
                made = Workflow.objects.filter(pk__startswith=f"{handle.id}:")

                self.assertEqual(
                    [{"failed": refunds.name, "cancelled": "tests.releases"}[status]],
                    list(made.values_list("name", flat=True)),
                )


class ACancellationThatIsPressedTwice(TransactionTestCase):
    def test_has_one_effect(self):
        """F4: what follows it starts once, too."""
        handle = sells.start(7)
        pressed_by = pressed(lambda: row(handle).cancel())

        self.assertEqual([False] * (PRESSES - 1) + [True], sorted(pressed_by))
        self.assertEqual(2, Workflow.objects.count())


class APurge(TransactionTestCase):
    def test_races_those_who_resume(self):
        """F8: either it was resumed, and is whole, or it is gone: nothing lives without its history."""
        for turn in range(TURNS):
            with self.subTest(turn=turn):
                handle = workflow_in("failed")
                before = Step.objects.filter(workflow=handle.id).count()
                found = pressed_together(
                    lambda handle=handle: Workflow.objects.filter(pk=handle.id).resume(),
                    lambda handle=handle: Workflow.objects.filter(pk=handle.id).purge(),
                )
                left = Workflow.objects.filter(pk=handle.id).values_list("status", flat=True).first()

                self.assertEqual(1, sum(found), found)
                self.assertEqual("queued" if found[0] else None, left)
                self.assertEqual(before - 1 if found[0] else 0, Step.objects.filter(workflow=handle.id).count())
                Workflow.objects.cancel()
                Workflow.objects.purge()

    def test_under_a_running_one_takes_nothing(self):
        """F8: not while it runs, nor while its cancelled attempt has not let go; its step is recorded."""
        counts = []

        def act():
            me = Workflow.objects.filter(pk=durable.get_handle("running").id)
            counts.append(elsewhere(me.purge))
            elsewhere(me.cancel)
            counts.append(elsewhere(me.purge))

        with acting(act):
            acts.using(id="running").start()
            run_until_idle()
        steps = list(Step.objects.filter(workflow="running").values_list("name", flat=True).order_by("position"))

        self.assertEqual(([0, 0], ["mark_atomically", "act"]), (counts, steps))
        self.assertEqual((1, 0), (Workflow.objects.purge(), Step.objects.count()))

    def test_races_a_fork(self):
        """The fork is whole, or there is none."""
        for turn in range(TURNS):
            with self.subTest(turn=turn):
                handle = tells.start(1)
                run_until_idle()
                found = pressed_together(
                    lambda handle=handle, turn=turn: row(handle).fork(from_step=9, id=f"fork-{turn}").pk,
                    lambda handle=handle: Workflow.objects.filter(pk=handle.id).purge(),
                )
                steps = Step.objects.filter(workflow=f"fork-{turn}").count()

                self.assertIn(steps, {0, 4})
                self.assertEqual(steps == 4, found[0] == f"fork-{turn}", found)
                self.assertEqual(1, found[1])
