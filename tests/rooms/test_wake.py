"""worker/wake.py: what a worker process waits at, set by whoever has news, at any moment."""

import time

from django.test import SimpleTestCase

from durable_django.worker.wake import Wake


class AWake(SimpleTestCase):
    def waits(self, wake, seconds):
        """Whether it waited so long."""
        began_at = time.monotonic()
        wake.wait(seconds)
        return time.monotonic() - began_at >= seconds

    def test_that_is_set_lets_nobody_wait(self):
        """Once, however often it was set since it was cleared."""
        wake = Wake()
        for _number in range(3):
            wake.set()
        answers = [self.waits(wake, 60)]
        wake.clear()

        self.assertEqual([False, True], [*answers, self.waits(wake, 0.01)])

    def test_that_nobody_sets_ends_by_itself(self):
        """After so many seconds."""
        self.assertTrue(self.waits(Wake(), 0.01))
