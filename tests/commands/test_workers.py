"""manage.py durable workers: which processes live, and how much they hold."""

from django.test import TestCase

from durable_django.models import Worker
from tests.behaviour.states import claim
from tests.commands.support import answer, durable
from tests.sample.promises import takes_order


def register(name, seconds=60, **facts):
    return Worker.objects.register(name, seconds, **{"hostname": "here", "pid": 7, "name": name, **facts})


class Workers(TestCase):
    def test_are_listed_with_what_they_hold(self):
        """The newest first: state, queues, threads, workflows, when they were heard of."""
        register("a", threads=8, queues=["mails", "bulk-*"])
        register("b", is_draining=True)
        register("c", takes_slots=False)
        for number in range(2):
            claim(takes_order.start(number), "a")

        lines = {line.split()[0]: line.split() for line in durable("workers").splitlines()}

        self.assertEqual(["worker", "state", "host", "process", "queues", "threads", "holds"], lines["worker"][:7])
        self.assertEqual(["a", "alive", "here", "7", "mails,", "bulk-*", "8", "2"], lines["a"][:8])
        self.assertEqual(["b", "draining", "here", "7", "all", "0", "0"], lines["b"][:7])
        self.assertEqual("calling", lines["c"][1])

    def test_that_are_gone_are_left_out(self):
        """Unless one still holds a workflow, or all are asked for."""
        register("alive")
        register("gone", -1)
        register("holds", 60)
        claim(takes_order.start(1), "holds")
        Worker.objects.filter(pk="holds").expire()

        some = {row["id"]: row["has_lease"] for row in answer("workers")}
        every = {row["id"] for row in answer("workers", "--all")}

        self.assertEqual({"alive": True, "holds": False}, some)
        self.assertEqual({"alive", "gone", "holds"}, every)
        self.assertIn("over", durable("workers"))

    def test_are_listed_for_programs(self):
        """Everything that their rows say, in one query however many there are."""
        register("a", queues=["mails"])
        register("b")
        with self.assertNumQueries(1):
            found = {row["id"]: row for row in answer("workers")}

        self.assertEqual((["mails"], 7, 0), tuple(found["a"][key] for key in ("queues", "pid", "held")))
        self.assertTrue(50 < found["a"]["lease_seconds"] <= 60)

    def test_may_not_be_there(self):
        """A sentence for people, an empty array for programs."""
        self.assertEqual("No worker is there: start one with manage.py worker.\n", durable("workers"))
        self.assertEqual([], answer("workers"))
