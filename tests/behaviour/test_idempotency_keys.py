"""The idempotency key of a step: one for all its calls, whatever happens in between."""

from django.test import TestCase

from durable_django import Retry, current_step, step, workflow
from durable_django.testing import crash_after, crash_before, run_until_idle, travel
from tests.behaviour.support import row
from tests.sample.promises import describe_step

KEYS = []
FAILURES = []


@step(retry=Retry(max_attempts=3, base_seconds=10, jitter=0))
def charge():
    info = current_step()
    KEYS.append((info.idempotency_key, info.attempt))
    if FAILURES:
        raise FAILURES.pop()
    return info.idempotency_key


@workflow
def charges_twice():
    return [charge(), charge()]


class TheKey(TestCase):
    def setUp(self):
        KEYS.clear()
        FAILURES.clear()

    def keys(self):
        return [key for key, _attempt in KEYS]

    def test_differs_between_steps_and_workflows(self):
        """Two steps, and two workflows, never share one."""
        first, second = charges_twice.start(), charges_twice.start()

        run_until_idle()

        self.assertEqual(4, len({*first.result(), *second.result()}))

    def test_survives_retries(self):
        """Each retry has the same key, and counts its attempt from 1."""
        charges_twice.using(id="order-7").start()
        FAILURES.append(ConnectionError())

        run_until_idle()
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual([("order-7/1", 1), ("order-7/1", 2), ("order-7/2", 1)], KEYS)

    def test_survives_recovery(self):
        """A step that runs again after a crash has the key of its first run."""
        handle = charges_twice.using(id="order-7").start()
        for block in (crash_before(charge), crash_after(charge, recorded=False)):
            with block:
                run_until_idle()
        run_until_idle()

        self.assertEqual(["order-7/1", "order-7/1", "order-7/2"], self.keys())
        self.assertEqual(["order-7/1", "order-7/2"], handle.result())

    def test_survives_resume(self):
        """A failed workflow that is resumed repeats its last step under the same key."""
        handle = charges_twice.using(id="order-7").start()
        FAILURES[:] = [OSError(), OSError(), OSError()]
        for seconds in (0, 11, 40):
            with travel(seconds=seconds):
                run_until_idle()
        self.assertEqual("failed", row(handle).status)

        row(handle).resume()
        run_until_idle()

        self.assertEqual({"order-7/1", "order-7/2"}, set(self.keys()))
        self.assertEqual("succeeded", row(handle).status)

    def test_fits_into_255_ascii_characters(self):
        """An id that is long or not ASCII is hashed, the same each time."""
        for name in ("x" * 255, "日本", "é" * 200):
            with self.subTest(name=name):
                KEYS.clear()
                charges_twice.using(id=name).start()
                with crash_after(charge, recorded=False):
                    run_until_idle()
                run_until_idle()

                first, again, second = self.keys()
                self.assertEqual(first, again)
                self.assertNotEqual(first, second)
                self.assertTrue(first.isascii() and first.isprintable() and len(first) <= 255)


@workflow
def describes_two_steps():
    return [describe_step(), describe_step()]


class CurrentStep(TestCase):
    def test_tells_name_position_attempt_and_key(self):
        """In a step it is set, in the workflow's own code it is None."""
        handle = describes_two_steps.using(id="order-7").start()

        run_until_idle()

        self.assertEqual(
            [
                {"name": "describe_step", "position": 1, "attempt": 1, "key": "order-7/1"},
                {"name": "describe_step", "position": 2, "attempt": 1, "key": "order-7/2"},
            ],
            handle.result(),
        )
        self.assertIsNone(current_step())
