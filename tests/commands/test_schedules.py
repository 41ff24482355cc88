"""manage.py durable schedules: when each fires next, and why one does not."""

from django.test import TestCase

from durable_django.models import Schedule
from tests.behaviour.scheduling import make
from tests.commands.support import answer, durable


class Schedules(TestCase):
    def setUp(self):
        Schedule.objects.all().delete()

    def test_are_listed_by_name(self):
        """With state, text, zone and workflow; a broken one with its error."""
        make(name="b")
        make(name="a", is_paused=True)
        Schedule.objects.filter(name="b").write(error="There is\nno time zone")

        header, first, second = durable("schedules").splitlines()

        self.assertEqual(["name", "state", "next", "last"], header.split()[:4])
        self.assertEqual(["a", "paused", "-"], first.split()[:3])
        self.assertEqual(["b", "broken"], second.split()[:2])
        self.assertIn("There is\\nno time zone", second)

    def test_are_listed_for_programs(self):
        """With everything but the context, in one query."""
        make("0 9 * * *", overlap="skip")
        with self.assertNumQueries(1):
            (found,) = answer("schedules")

        self.assertEqual(
            ("s", "0 9 * * *", "UTC", "skip"), tuple(found[key] for key in ("name", "cron", "timezone", "overlap"))
        )
        self.assertEqual((False, ""), (found["is_edited"], found["error"]))

    def test_may_not_exist(self):
        """A sentence for people, an empty array for programs."""
        self.assertEqual("There are no schedules.\n", durable("schedules"))
        self.assertEqual([], answer("schedules"))
