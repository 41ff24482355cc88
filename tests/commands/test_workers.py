"""manage.py durable workers: which processes live, how much they hold, and how one is drained."""

from django.core.management import CommandError
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

    def test_that_are_to_drain_are_draining(self):
        """Though they have not heard of it yet."""
        register("a", must_drain=True)

        self.assertIn("draining", durable("workers"))

    def test_may_be_named(self):
        """By name, by host and process, by id; then they are shown in whatever state."""
        register("a")
        register("b")
        Worker.objects.register("1", -1, hostname="far", pid=9)

        self.assertEqual({"a", "1"}, {row["id"] for row in answer("workers", "a", "far:9")})
        with self.assertRaisesMessage(CommandError, "There is no worker 'c'."):
            durable("workers", "a", "c")

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


class Draining(TestCase):
    def told(self):
        return set(Worker.objects.filter(must_drain=True).values_list("pk", flat=True))

    def test_is_for_those_that_are_named(self):
        """By name, by host and process, or by id."""
        for worker_id, name in (("1", "one"), ("2", "one"), ("3", "three"), ("4", ""), ("5", "five")):
            Worker.objects.register(worker_id, 60, hostname="here", pid=int(worker_id), name=name)

        text = durable("workers", "one", "3", "here:4", "--drain")

        self.assertEqual("4 workers claim nothing more from the next heartbeat on.\n", text)
        self.assertEqual({"1", "2", "3", "4"}, self.told())
        self.assertEqual({"drained": 0}, answer("workers", "three", "--drain"))

    def test_must_be_told_which(self):
        """To drain all of them by a slip would stop everything."""
        register("a")

        with self.assertRaisesMessage(CommandError, "Say which workers to drain") as caught:
            durable("workers", "--drain")
        self.assertEqual((2, set()), (caught.exception.returncode, self.told()))

    def test_refuses_those_that_do_not_live(self):
        """Nothing is changed then."""
        register("a")
        register("dead", -1)

        with self.assertRaisesMessage(CommandError, "There is no live worker 'dead'."):
            durable("workers", "a", "dead", "--drain")
        self.assertEqual(set(), self.told())
