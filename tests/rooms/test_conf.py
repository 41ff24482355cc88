"""conf.py: typed defaults over the project's dict, read live."""

from django.test import SimpleTestCase, override_settings

from durable_django.conf import DurableSettings, defaults, durable_settings, is_debug


class ASetting(SimpleTestCase):
    def test_has_a_default(self):
        """What the project does not say."""
        self.assertEqual((30, 5, 1, True, 8), (
            durable_settings.LEASE_SECONDS, durable_settings.HEARTBEAT_SECONDS, durable_settings.POLL_SECONDS,
            durable_settings.NOTIFY, durable_settings.THREADS,
        ))  # fmt: skip
        self.assertEqual(("default", 20, "", 255, 200, 2**20, 2**16), (
            durable_settings.DEFAULT_QUEUE, durable_settings.MAX_RECOVERIES, durable_settings.APPLICATION,
            durable_settings.MAX_ID_LENGTH, durable_settings.MAX_DEPTH, durable_settings.MAX_PAYLOAD_BYTES,
            durable_settings.MAX_ERROR_BYTES,
        ))  # fmt: skip

    def test_is_read_live(self):
        """override_settings() works, and ends."""
        with override_settings(DURABLE_DJANGO={"THREADS": 2}):
            inside = durable_settings.THREADS, durable_settings.POLL_SECONDS

        self.assertEqual(((2, 1), 8), (inside, durable_settings.THREADS))

    def test_of_a_wrong_kind_is_the_checks_business(self):
        """Reading never raises for another's fault: a dict that is none, no setting at all."""
        for value in (None, 5, [("THREADS", 2)], "x"):
            with self.subTest(value=value), override_settings(DURABLE_DJANGO=value):
                self.assertEqual(8, durable_settings.THREADS)

    def test_that_does_not_exist_is_an_attribute_error(self):
        """A typo inside the package does not pass for None."""
        with self.assertRaises(AttributeError):
            _ = durable_settings.LEASE_SECOND

    def test_is_listed_with_its_default(self):
        """defaults() is what the checks compare with; it does not see the project's values."""
        with override_settings(DURABLE_DJANGO={"THREADS": 2}):
            found = defaults()

        self.assertEqual(8, found["THREADS"])
        self.assertEqual({name for name in vars(DurableSettings) if name.isupper()}, set(found))


class Debug(SimpleTestCase):
    def test_follows_the_project(self):
        """DEBUG, read live."""
        self.assertFalse(is_debug())
        with override_settings(DEBUG=True):
            self.assertTrue(is_debug())
