"""No page of the admin makes markup of what rows hold or people write, whatever their columns are called."""

import json

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from durable_django.admin.operating.verbs import verbs_of
from durable_django.base import registry
from durable_django.models import Event, EventChange, Message, Queue, Schedule, StreamEntry, Worker, Workflow
from durable_django.models.incident import Incident
from durable_django.models.operation import Operation
from durable_django.models.queue import QueueStart
from durable_django.testing import run_until_idle
from tests.admin.hostility import APP, addresses, columns_of, downloads_of, lists_filtered_by, own_models, poison
from tests.admin.operating import KINDS, VALUES
from tests.admin.support import HOSTILE, AdminTestCase, sheet, url
from tests.admin.test_objects import GroupAdmin
from tests.sample.workflows import two_marks

ODD = f"id {HOSTILE}"
#: Views that only answer to a form.
NOT_FOR_READING = ("add", "delete")
STATES = ("queued", "running", "waiting", "paused", "cancelled", "succeeded", "failed")
#: What people write into the forms of verbs, beside what each needs to be valid.
WRITTEN = {
    "topic": HOSTILE, "message": json.dumps(HOSTILE), "attributes": json.dumps({HOSTILE: HOSTILE}), "queue": HOSTILE,
    "step": HOSTILE, "place": "step", "arguments": json.dumps([HOSTILE]), "start": HOSTILE, "end": HOSTILE,
    "run_after": HOSTILE, "priority": HOSTILE, "form_id": HOSTILE, "seen": HOSTILE,
}  # fmt: skip


def fill():
    """Make a row of every model, under hostile keys where a key is a text."""
    Schedule.objects.all().delete()
    Queue.objects.sync(registry.queues.declared())
    Queue.objects.create(name=ODD)
    Worker.objects.register(ODD[:64], 60, hostname="here", pid=1)
    two_marks.using(id=ODD).start("w")
    for key in ("parent", "child"):
        two_marks.using(id=key).start("w")
    run_until_idle()
    Workflow.objects.filter(pk=ODD).update(parent="parent", forked_from="parent")
    Workflow.objects.filter(pk="child").update(parent=ODD, forked_from=ODD)
    place = {"workflow_id": ODD, "branch": "", "position": 1}
    Event.objects.create(workflow_id=ODD, key="k", value="1")
    EventChange.objects.create(**place, key="k", value="1")
    StreamEntry.objects.create(**place, key="k", offset=0, value="1")
    Message.objects.create(workflow_id=ODD, value="1")
    Message.objects.create(workflow_id="parent", value="1", sender=ODD)
    QueueStart.objects.create(queue=ODD, workflow=ODD)
    Incident.objects.create(kind="worker_lost", subject="s")
    Schedule.objects.create(name="s", workflow="w", cron="* * * * *")
    for row in (Workflow.objects.get(pk=ODD), Queue.objects.get(pk=ODD), Schedule.objects.get(), Worker.objects.get()):
        Operation.objects.create(verb="cancel", object_kind=row._meta.model_name, object_id=str(row.pk))


def of_rows():
    """Return the operations with what they are about, which is poisoned like all the rest."""
    return {each.pk: (each.object_kind, each.object_id) for each in Operation.objects.all()}


def poisoned(*, are_readable):
    """Poison all rows; leave them what leads from one to another."""
    about = of_rows()
    poison(are_readable=are_readable)
    for key, (kind, row) in about.items():
        Operation.objects.filter(pk=key).update(object_kind=kind, object_id=row)
    Workflow.objects.update(deduplication_key=None)
    Workflow.objects.filter(pk=ODD).update(deduplication_key=HOSTILE)
    Message.objects.filter(workflow_id="parent").update(sender=ODD)


def fail():
    """Let the one workflow have failed with its hostile error."""
    Workflow.objects.filter(pk=ODD).update(status="failed", finished_at=timezone.now())


class HostileRows(AdminTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.root = User.objects.create_superuser("root", "root@shop.example", "secret")

    def setUp(self):
        self.client.force_login(self.root)
        fill()
        LogEntry.objects.log_actions(self.root.pk, [Workflow(pk=ODD), Queue(pk=ODD)], CHANGE, HOSTILE)

    def assert_all_safe(self, answers):
        """Fail unless each page is safe; return how many there are."""
        count = 0
        for address, response in answers:
            with self.subTest(address):
                self.assert_safe(response)
            count += 1
        return count


class EveryPage(HostileRows):
    def read_all(self):
        pages = (each for each in addresses() if each.rstrip("/").rsplit("/", 1)[-1] not in NOT_FOR_READING)
        self.assertGreater(self.assert_all_safe((each, self.client.get(each, follow=True)) for each in pages), 50)

    def test_shows_hostile_values_as_text(self):
        """J6: in every text column of every model, also of those that came later."""
        poisoned(are_readable=True)

        self.read_all()

    def test_shows_hostile_damage_as_text(self):
        """Where values should stand."""
        poisoned(are_readable=False)

        self.read_all()

    def test_shows_hostile_failures_as_text(self):
        """With their error, alone and in groups."""
        poisoned(are_readable=True)
        fail()

        self.read_all()
        self.assertContains(self.client.get("/admin/durable_django/overview/failures/"), "onerror=y&gt;")

    def test_shows_hostile_states_as_text(self):
        """In each state of a workflow, which decides what is said of it."""
        poisoned(are_readable=True)
        for status in STATES:
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

    def test_shows_what_operators_did_as_text(self):
        """On the page of each kind of row."""
        poisoned(are_readable=True)
        for kind, key in of_rows().values():
            with self.subTest(kind):
                self.assertContains(self.page(key, kind), "What operators did")

    def test_shows_hostile_addresses_as_text(self):
        """Filters, searches and pages that people were sent a link to."""
        for value in (HOSTILE, f"1:{HOSTILE}"):
            asked = [(f"{address} {query}", address, query) for address, query in lists_filtered_by(value)]
            pages = ((said, self.client.get(address, query, follow=True)) for said, address, query in asked)
            known = ((said, page) for said, page in pages if page.status_code != 400)

            self.assertGreater(self.assert_all_safe(known), 20)

    def test_of_an_object_shows_its_workflows_as_text(self):
        """In the project's own admin."""
        poisoned(are_readable=True)
        group = Group.objects.create(name=HOSTILE)
        kind = ContentType.objects.get_for_model(Group)
        for status in STATES:
            Workflow.objects.update(subject_type=kind, subject_id=str(group.pk), status=status)
            request = RequestFactory().get("/", {"x": HOSTILE})
            request.user = self.root

            page = GroupAdmin(Group, admin.site).changeform_view(request, str(group.pk)).render()

            self.assert_safe(page)
            self.assertIn("/operate/", page.content.decode())

    def test_is_tried_with_every_model(self):
        """Each has a row, and a text column that is poisoned."""
        for model in own_models():
            self.assertTrue(model.objects.exists(), model)
            self.assertTrue(list(columns_of(model, are_readable=True)), model)


class EveryForm(HostileRows):
    """Of each verb, sent with markup in all its fields, to rows that are full of it."""

    def keys(self):
        """Return a key of each kind."""
        worker, schedule = Worker.objects.get(), Schedule.objects.get()
        return {"workflow": ODD, "queue": ODD, "schedule": schedule.pk, "worker": worker.pk}

    def on_pages(self, *kinds, **written):
        """Yield what each form leads to from the page of its row; what it has changed is undone."""
        for kind in kinds:
            for verb in verbs_of(kind):
                address = reverse(f"admin:{APP}_{kind}_operate", args=[quote(self.keys()[kind]), verb.name])
                yield from self.sent(address, {**self.form(verb, written), "confirmed": "1"})
                yield from self.sent(f"{address}?next={HOSTILE}", {**self.form(verb, written), "confirmed": HOSTILE})

    def on_lists(self, *kinds, **written):
        """Yield what each leads to from the list."""
        for kind in kinds:
            for verb in verbs_of(kind):
                # The key of a schedule is a number.
                keys = [self.keys()[kind], *([] if kind == "schedule" else [HOSTILE[:50]])]
                chosen = {"action": verb.name, "_selected_action": keys}
                for more in ({**self.form(verb, written), "confirmed": "9"}, {"look": "1"}, {"select_across": "1"}):
                    yield from self.sent(url(kind, "changelist"), {**chosen, **more})

    def sent(self, address, form):
        with transaction.atomic():
            yield f"{address} {sorted(form)}", self.client.post(address, form, follow=True)
            transaction.set_rollback(True)

    @staticmethod
    def form(verb, written):
        return sheet(**{**VALUES.get(verb.name, {}), "reason": HOSTILE, **written})

    def test_says_what_was_done_in_text(self):
        """Pages, messages and records."""
        poisoned(are_readable=True)
        fail()

        self.assertGreater(self.assert_all_safe(self.on_pages(*KINDS)), 30)
        self.assertGreater(self.assert_all_safe(self.on_lists(*KINDS)), 45)

    def test_says_it_in_each_state_of_a_workflow(self):
        """Whether the verb fits or not."""
        poisoned(are_readable=True)
        for status in STATES:
            Workflow.objects.update(status=status)
            self.assert_all_safe(self.on_pages("workflow"))

    def test_says_what_is_wrong_in_text(self):
        """What was written is shown again, and is refused in words."""
        poisoned(are_readable=True)

        self.assert_all_safe(self.on_pages(*KINDS, **WRITTEN))
        self.assert_all_safe(self.on_lists(*KINDS, **WRITTEN))

    def test_survives_damaged_rows(self):
        """Whose values nobody can read."""
        poisoned(are_readable=False)

        for written in ({}, {"place": "failure", "start": "2024-01-01T00:00", "end": "2024-01-02T00:00"}):
            self.assert_all_safe(self.on_pages(*KINDS, **written))

    def test_of_limits_says_what_is_wrong_in_text(self):
        """The only form that is not that of a verb."""
        poisoned(are_readable=True)
        for values in (dict.fromkeys(("concurrency", "rate_limit", "rate_seconds", "reason", "seen"), HOSTILE), {}):
            self.assert_safe(self.client.post(url("queue", "change", ODD), values, follow=True))


class EveryDownload(HostileRows):
    def test_is_a_file_that_no_browser_takes_for_a_page(self):
        """Whatever is in it; its name is plain."""
        for are_readable in (True, False):
            poisoned(are_readable=are_readable)
            fail()
            found = [self.client.get(each) for each in downloads_of(Workflow.objects.get(pk=ODD))]
            files = [each for each in found if each.status_code == 200]

            self.assertGreater(len(files), 6)
            for each in files:
                self.assertEqual("application/json", each["Content-Type"])
                self.assertEqual("nosniff", each["X-Content-Type-Options"])
                self.assertIn("sandbox", each["Content-Security-Policy"])
                self.assertRegex(each["Content-Disposition"], r'^attachment; filename="[\w.-]+"$')
                json.loads(each.content)
