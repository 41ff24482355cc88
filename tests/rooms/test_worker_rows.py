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
