"""engine/ownership.py: by which right a process runs workflows, and when it must stop by its own clock."""

import math
import threading
from contextlib import suppress
from dataclasses import dataclass
from unittest import mock

from django.test import SimpleTestCase

from durable_django.base import clock
from durable_django.base.interrupts import LeaseLost, Released
from durable_django.engine.ownership import Ownership, StepTimeouts


@dataclass
class Claim:
    """A workflow as it comes out of a claim."""

    pk: str
    attempt: int


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class ClockTestCase(SimpleTestCase):
    def setUp(self):
        self.clock = Clock()
        patched = mock.patch.object(clock, "elapsed_seconds", self.clock)
        patched.start()
        self.addCleanup(patched.stop)


class ClaimedWorkflows(SimpleTestCase):
    def take_up(self, owner, *claims):
        return [claim.pk for claim in owner.take_up(Claim(*claim) for claim in claims)]

    def test_are_taken_up_once(self):
        """A server that crashed may have lost the claim of what runs here, and give it again."""
        owner = Ownership("w")
        first = self.take_up(owner, ("a", 1), ("b", 1))

        self.assertEqual((["a", "b"], ["c"]), (first, self.take_up(owner, ("b", 1), ("c", 1))))
        self.assertEqual({("a", 1), ("b", 1), ("c", 1)}, owner.held)

    def test_that_were_made_twice_are_looked_for_once_they_are_put_down(self):
        """What was in hand may have ended before the second claim, or have been another row with the same id."""
        owner = Ownership("w")
        self.take_up(owner, ("a", 1), ("b", 1))
        self.take_up(owner, ("b", 1))

        owner.put_down(("a", 1))
        after_one = owner.has_strays.is_set()
        owner.put_down(("b", 1))
        after_both = owner.has_strays.is_set()

        self.assertEqual((False, True, set()), (after_one, after_both, owner.held))
        owner.has_strays.clear()
        self.assertEqual(["b"], self.take_up(owner, ("b", 1)))
        owner.put_down(("b", 1))
        self.assertFalse(owner.has_strays.is_set())

    def test_are_taken_up_again_by_their_next_attempt(self):
        """That is another claim."""
        owner = Ownership("w")
        self.take_up(owner, ("a", 1))

        self.assertEqual(["a"], self.take_up(owner, ("a", 2)))


class ALease(ClockTestCase):
    def test_passes_for_the_process_before_it_does_for_others(self):
        """A share earlier than the database says: clocks drift."""
        owner = Ownership("w", 30)
        self.clock.now += 28
        before = owner.has_passed()
        self.clock.now += 1

        self.assertEqual((False, True), (before, owner.has_passed()))

    def test_is_extended_from_when_it_was_asked_for(self):
        """The answer may have taken its time."""
        owner = Ownership("w", 30)
        asked_at = self.clock.now + 10
        self.clock.now += 25
        owner.extend_from(asked_at)
        self.clock.now = asked_at + 28

        self.assertFalse(owner.has_passed())
        self.clock.now = asked_at + 29
        self.assertTrue(owner.has_passed())

    def test_is_never_shortened_by_an_old_answer(self):
        """Answers may come out of order."""
        owner = Ownership("w", 30)
        owner.extend_from(self.clock.now + 100)
        owner.extend_from(self.clock.now)
        self.clock.now += 120

        self.assertFalse(owner.has_passed())

    def test_that_was_lost_stays_lost(self):
        """No late heartbeat brings it back."""
        owner = Ownership("w", 30)
        owner.lose()
        owner.extend_from(self.clock.now)

        self.assertTrue(owner.has_passed())

    def test_without_end_is_that_of_tests(self):
        """Where nobody can take over it never passes."""
        owner = Ownership("w")
        self.clock.now += 1e9

        self.assertFalse(owner.has_passed())
        self.assertTrue(math.isinf(owner.lease_seconds))

    def test_stands_while_the_process_holds_the_only_writer(self):
        """On SQLite nobody else can write meanwhile; holds may overlap."""
        owner = Ownership("w", 30)
        with owner.hold():
            self.clock.now += 100
            with owner.hold():
                inner = owner.has_passed()
            outer = owner.has_passed()

        self.assertEqual((False, False, True), (inner, outer, owner.has_passed()))

    def test_that_was_lost_is_not_held(self):
        """The row says that it passed, before or while the writer is held: that wins."""
        before, meanwhile = Ownership("before", 30), Ownership("meanwhile", 30)
        before.lose()
        with before.hold(), meanwhile.hold():
            meanwhile.lose()
            held = (before.has_passed(), meanwhile.has_passed())

        self.assertEqual((True, True), held)

    def test_tells_whether_the_writer_is_held(self):
        """From the first hold to the end of the last, however they end."""
        owner = Ownership("w", 30)
        seen = [owner.is_holding]
        with suppress(LookupError), owner.hold():
            with owner.hold():
                seen.append(owner.is_holding)
            seen.append(owner.is_holding)
            raise LookupError

        self.assertEqual([False, True, True, False], [*seen, owner.is_holding])


class GoingOn(ClockTestCase):
    def test_is_forbidden_without_a_lease(self):
        """Whoever asks is interrupted."""
        owner = Ownership("w", 30)
        owner.require_going_on()
        self.clock.now += 100

        for require in (owner.require_lease, owner.require_going_on):
            with self.assertRaises(LeaseLost):
                require()

    def test_is_forbidden_while_the_process_shuts_down(self):
        """The next step does not start; what runs may still be recorded."""
        owner = Ownership("w", 30)
        owner.draining.set()
        owner.require_lease()

        with self.assertRaises(Released):
            owner.require_going_on()

    def test_is_forbidden_by_the_lease_first(self):
        """A worker that lost its lease gives nothing back."""
        owner = Ownership("w", 30)
        owner.draining.set()
        owner.lose()

        with self.assertRaises(LeaseLost):
            owner.require_going_on()


class APause(SimpleTestCase):
    def test_ends_when_the_process_shuts_down(self):
        """A shutdown need not wait for it."""
        owner = Ownership("w")
        thread = threading.Thread(target=owner.pause, args=[60])
        thread.start()
        owner.draining.set()
        thread.join(30)

        self.assertFalse(thread.is_alive())

    def test_is_one_also_during_the_shutdown(self):
        """While it drains, a pause between two tries is still a pause."""
        owner = Ownership("w")
        owner.draining.set()
        with mock.patch("time.sleep") as slept:
            owner.pause(0.5)

        slept.assert_called_once_with(0.5)


class Timed:
    """A call of a step with a timeout."""

    def __init__(self, timeout):
        self.timeout_seconds = timeout


class Timeouts(ClockTestCase):
    def test_are_due_when_they_are_over(self):
        """Each by its own time; the next one is known."""
        timeouts, short, long = StepTimeouts(), Timed(5), Timed(50)
        with timeouts.watching(short), timeouts.watching(long):
            waits = timeouts.seconds_until_next()
            self.clock.now += 6
            due = timeouts.due()
            self.clock.now += 100
            both = timeouts.due()
            after = timeouts.seconds_until_next()

        self.assertEqual((5, [short], {short, long}, 0), (waits, due, set(both), after))

    def test_are_watched_while_their_block_runs(self):
        """Then they are forgotten, also if the block ends by an error."""
        timeouts = StepTimeouts()
        with self.assertRaises(LookupError), timeouts.watching(Timed(5)):
            raise LookupError
        self.clock.now += 10

        self.assertEqual(([], None), (timeouts.due(), timeouts.seconds_until_next()))

    def test_can_be_forgotten_before(self):
        """Once recorded, a call is not recorded again."""
        timeouts, call = StepTimeouts(), Timed(5)
        with timeouts.watching(call):
            self.clock.now += 10
            timeouts.forget(call)
            self.assertEqual([], timeouts.due())

    def test_that_were_recorded_are_late_while_they_hold_their_thread(self):
        """One that has left it meanwhile is not counted: nobody would ever take it off the count again."""
        timeouts, late, gone = StepTimeouts(), Timed(5), Timed(5)
        with timeouts.watching(late):
            timeouts.forget(late, is_late=True)
            with timeouts.watching(gone):
                pass
            timeouts.forget(gone, is_late=True)
            during = timeouts.late

        self.assertEqual((1, 0), (during, timeouts.late))

    def test_of_calls_without_one_are_none(self):
        """They cost nothing."""
        timeouts = StepTimeouts()
        with timeouts.watching(Timed(None)):
            self.assertIsNone(timeouts.seconds_until_next())
