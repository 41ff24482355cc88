"""No page of the admin makes markup of what rows hold, whatever their columns are called."""

from django.contrib.auth.models import User

from durable_django.base import registry
from durable_django.models import Event, EventChange, Message, Queue, Schedule, Step, StreamEntry, Worker, Workflow
from durable_django.models.operation import Operation
from durable_django.models.queue import QueueStart
from durable_django.testing import run_until_idle
from tests.admin.hostility import APP, addresses, columns_of, poison
from tests.admin.support import HOSTILE, AdminTestCase, url
from tests.sample.workflows import two_marks

ODD = f"id {HOSTILE}"
#: Views that only answer to a form.
NOT_FOR_READING = ("add", "delete")


def fill():
    """Make a row of every model, under hostile keys where a key is a text."""
    Schedule.objects.all().delete()
    Queue.objects.sync(registry.queues.declared())
    Queue.objects.create(name=ODD)
    Worker.objects.register(ODD[:64], 60, hostname="here", pid=1)
    two_marks.using(id=ODD).start("w")
    two_marks.using(id="parent").start("w")
    run_until_idle()
    Workflow.objects.filter(pk=ODD).update(parent="parent", forked_from="parent")
    Workflow.objects.filter(pk="parent").update(parent=ODD)
    place = {"workflow_id": ODD, "branch": "", "position": 1}
    Event.objects.create(workflow_id=ODD, key="k", value="1")
    EventChange.objects.create(**place, key="k", value="1")
    StreamEntry.objects.create(**place, key="k", offset=0, value="1")
    Message.objects.create(workflow_id=ODD, value="1")
    Message.objects.create(workflow_id="parent", value="1", sender=ODD)
    QueueStart.objects.create(queue=ODD, workflow=ODD)
    Operation.objects.create(verb="cancel", object_kind="workflow", object_id=ODD)
    Schedule.objects.create(name="s", workflow="w", cron="* * * * *")


def poisoned(*, are_readable):
    """Poison all rows, and let the one workflow have sent a message to the other one."""
    poison(are_readable=are_readable)
    Workflow.objects.update(deduplication_key=None)
    Workflow.objects.filter(pk=ODD).update(deduplication_key=HOSTILE)
    Message.objects.filter(workflow_id="parent").update(sender=ODD)


class EveryPage(AdminTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.root = User.objects.create_superuser("root", "root@shop.example", "secret")

    def setUp(self):
        self.client.force_login(self.root)
        fill()

    def read_all(self):
        read = 0
        for address in addresses():
            if address.rstrip("/").rsplit("/", 1)[-1] in NOT_FOR_READING:
                continue
            response = self.client.get(address, follow=True)
            with self.subTest(address):
                self.assert_safe(response)
            read += 1
        self.assertGreater(read, 20)

    def test_shows_hostile_values_as_text(self):
        """J6: in every text column of every model, also of those that came later."""
        poisoned(are_readable=True)

        self.read_all()

    def test_shows_hostile_damage_as_text(self):
        """Where values should stand."""
        poisoned(are_readable=False)

        self.read_all()

    def test_shows_hostile_states_as_text(self):
        """In each state of a workflow, which decides what is said of it."""
        poisoned(are_readable=True)
        for status in ("queued", "running", "waiting", "paused", "cancelled", "succeeded"):
            for waiting_for in (
                "",
                "code",
                "*",
                "retry",
                f"message:{HOSTILE}",
                f"event:{HOSTILE}:k",
                f"child:{HOSTILE}",
            ):
                Workflow.objects.update(status=status, waiting_for=waiting_for, finished_at=None, worker=HOSTILE)
                with self.subTest(f"{status} {waiting_for}"):
                    self.assert_safe(self.client.get(url("workflow", "change", ODD)))

    def test_is_tried_with_every_model(self):
        """Each has a row, and a text column that is poisoned."""
        for model in (Event, EventChange, Message, Queue, QueueStart, Schedule, Step, StreamEntry, Worker, Workflow):
            self.assertTrue(model.objects.exists(), model)
            self.assertTrue(list(columns_of(model, are_readable=True)), model)
            self.assertEqual(APP, model._meta.app_label)
