"""models/worker.py: leases by the database's clock."""

from django.test import TestCase

from durable_django.models import Worker
from durable_django.testing import travel


def register(worker_id="w", seconds=30, **facts):
    return Worker.objects.register(worker_id, seconds, **{"hostname": "h", "pid": 1, **facts})


def alive():
    return set(Worker.objects.alive().values_list("pk", flat=True))


class ALease(TestCase):
    def test_runs_from_the_registration(self):
        """For as long as asked; then the worker is dead."""
        register()
        with travel(seconds=20):
            before = alive()
        with travel(seconds=31):
            after = alive(), set(Worker.objects.dead().values_list("pk", flat=True))

        self.assertEqual(({"w"}, (set(), {"w"})), (before, after))

    def test_is_extended_by_heartbeats(self):
        """From the moment of the heartbeat on."""
        register()
        with travel(seconds=20):
            extended = Worker.objects.extend("w", 30, is_draining=True)
        with travel(seconds=45):
            found = alive()

        self.assertEqual((True, {"w"}), (extended, found))
        self.assertTrue(Worker.objects.get().is_draining)

    def test_that_has_passed_cannot_be_extended(self):
        """Others may have taken over: the process must begin anew; B4."""
        register()
        with travel(seconds=31):
            self.assertFalse(Worker.objects.extend("w", 30, is_draining=False))
        self.assertFalse(Worker.objects.extend("nobody", 30, is_draining=False))

    def test_can_be_ended_early(self):
        """For a process that is known to be gone; once."""
        register()

        self.assertEqual([1, 0], [Worker.objects.expire(), Worker.objects.expire()])
        self.assertEqual(set(), alive())

    def test_is_not_moved_by_a_touch(self):
        """touch() only shows that the database takes writes."""
        register()
        before = Worker.objects.get()
        with travel(seconds=10):
            Worker.objects.touch("w")
        after = Worker.objects.get()

        self.assertEqual(before.lease_expires_at, after.lease_expires_at)
        self.assertGreater(after.heartbeat_at, before.heartbeat_at)


class ALostWorker(TestCase):
    def test_is_one_whose_lease_has_passed_without_its_doing(self):
        """Not one that has ended it, nor one that runs plain calls, which ends when its web server wants."""
        register("lost")
        register("ended")
        register("web", takes_slots=False)
        Worker.objects.filter(pk="ended").end()
        with travel(seconds=31):
            found = list(Worker.objects.lost())

        self.assertEqual(["lost"], [row.pk for row in found])

    def test_is_one_that_others_have_found_dead(self):
        """They end its lease, and the row still says that nobody was told."""
        register()
        Worker.objects.expire()

        self.assertEqual(["w"], [row.pk for row in Worker.objects.lost()])

    def test_is_given_up_once(self):
        """And not while it lives."""
        register()
        early = Worker.objects.give_up()
        with travel(seconds=31):
            late = Worker.objects.give_up(), Worker.objects.give_up()

        self.assertEqual((0, (1, 0)), (early, late))


class AWorkerToBeDrained(TestCase):
    def test_is_told_once(self):
        """On a row or a queryset; the dead are not told, nor are web processes."""
        row = register()
        register("dead", -1)
        register("web", takes_slots=False)

        self.assertEqual([True, False, 0], [row.drain(), row.drain(), Worker.objects.drain()])


class TheRows(TestCase):
    def test_of_long_dead_workers_are_forgotten(self):
        """Those whose lease passed so long ago; others stay."""
        register("old")
        with travel(days=2):
            register("new")
            count = Worker.objects.forget(after_seconds=86400)

        self.assertEqual((1, ["new"]), (count, list(Worker.objects.values_list("pk", flat=True))))

    def test_are_found_by_machine_boot_and_namespace(self):
        """A host name alone is not enough; B9."""
        here = {"hostname": "h", "boot_id": "b", "pid_namespace": "n"}
        register("mine", **here)
        for name, other in (("host", "hostname"), ("boot", "boot_id"), ("container", "pid_namespace")):
            register(name, **{**here, other: "other"})

        self.assertEqual(["mine"], list(Worker.objects.on_host(**here).values_list("pk", flat=True)))

    def test_show_a_name(self):
        """The label, or host and process."""
        self.assertEqual(("label", "h:1"), (str(register("a", name="label")), str(register("b"))))
