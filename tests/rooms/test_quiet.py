"""worker/quiet.py: a busy process claims nothing for a while, and others are not kept waiting for long."""

from unittest import mock

from django.test import SimpleTestCase

from durable_django.base import clock
from durable_django.worker.quiet import Quiet


class AQuiet(SimpleTestCase):
    def setUp(self):
        self.now = 1000.0
        for patched in (
            mock.patch.object(clock, "elapsed_seconds", lambda: self.now),
            mock.patch("random.random", return_value=0.5),
        ):
            patched.start()
            self.addCleanup(patched.stop)
        self.quiet = Quiet()

    def ask(self, seconds=0.0):
        """Ask for it so much later; whether it is on then."""
        self.now += seconds
        self.quiet.ask()
        return self.quiet.is_on

    def seconds_asked(self, seconds):
        """Ask ten times a second for so long. Return how many seconds were quiet."""
        return sum(self.ask(0.1) for _ in range(seconds * 10)) / 10

    def test_begins_when_it_is_asked_for(self):
        """Not before."""
        before = self.quiet.is_on

        self.assertEqual((False, True), (before, self.ask()))

    def test_lasts_ten_seconds(self):
        """Also if nobody asks any more."""
        self.ask()
        self.now += 9.9
        almost = self.quiet.is_on
        self.now += 0.2

        self.assertEqual((True, False), (almost, self.quiet.is_on))

    def test_that_was_in_vain_comes_again_after_a_minute(self):
        """Meanwhile others are claimed, however often it is asked for."""
        self.ask()
        after = [self.ask(seconds) for seconds in (10, 1, 29, 29, 2)]

        self.assertEqual([False, False, False, False, True], after)

    def test_that_was_short_comes_again_as_soon(self):
        """Others have six times as long as they were held back."""
        self.ask()
        self.now += 1
        self.quiet.end()

        self.assertEqual([False, False, True], [self.ask(seconds) for seconds in (0, 5.9, 0.2)])

    def test_that_was_not_on_may_be_ended(self):
        """Whoever finds nothing to wait for ends it."""
        self.quiet.end()

        self.assertTrue(self.ask())

    def test_leaves_six_sevenths_of_the_time_to_others(self):
        """However long it is asked for in vain: ten of 10 seconds, then 20, 40, 80, and six times as much between."""
        quiet_seconds = self.seconds_asked(7 * (100 + 20 + 40 + 80))

        self.assertAlmostEqual(240, quiet_seconds, delta=10)

    def test_grows_when_short_ones_are_in_vain(self):
        """Steps that overlap without end would otherwise keep a suspect waiting for ever."""
        longest = []
        for _ in range(13):
            while not self.ask(0.1):
                pass
            began_at = self.now
            while self.ask(0.1):
                pass
            longest.append(round(self.now - began_at))

        self.assertEqual([10] * 10 + [20, 40, 80], longest)

    def test_is_short_again_after_one_that_was_not_in_vain(self):
        """The next suspect begins with patience."""
        self.seconds_asked(1000)
        self.quiet.end()
        self.now += 1000
        self.ask()
        self.now += 10

        self.assertFalse(self.quiet.is_on)
