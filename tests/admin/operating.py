"""What the tests of verbs share: a row for each verb that it would change, and what its form sends."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from durable_django.admin.operating.verbs import VERBS, verbs_of
from durable_django.models import Message, Operation, Queue, Schedule, Worker, Workflow
from tests.admin.support import AdminTestCase, sheet, url
from tests.behaviour.scheduling import NOON, at, make
from tests.sample.scheduled import takes_both
from tests.sample.workflows import two_marks

KINDS = ("workflow", "queue", "schedule", "worker")
VALUES: dict[str, dict[str, Any]] = {
    "cancel": {"reason": "a test", "children": "on"},
    "send": {"topic": "t", "message": '{"approved": true}'},
    "fork": {"place": "beginning"},
    "reschedule": {"run_after": "2040-01-01T12:00"},
    "set_priority": {"priority": "7"},
    "set_attributes": {"attributes": '{"region": "north"}'},
    "purge": {"reason": "a test"},
    "revert": {"reason": "a test"},
    "drain": {"reason": "a test"},
}


@dataclass(frozen=True)
class Target:
    """A verb, the key of a row that it would change, and what its form sends."""

    kind: str
    verb: str
    key: str
    values: dict[str, Any] = field(default_factory=dict)


class OperatingTestCase(AdminTestCase):
    """Every test is the visit of an operator who may do everything, unless it logs somebody else in."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.operator = cls.staff("operator", *cls.permissions())
        for model in (Workflow, Queue, Schedule, Worker, Operation):
            ContentType.objects.get_for_model(model)

    @staticmethod
    def permissions():
        """Return the names of all permissions of the app."""
        rows = Permission.objects.filter(content_type__app_label="durable_django")
        return list(rows.values_list("codename", flat=True))

    def setUp(self):
        super().setUp()
        self.client.force_login(self.operator)

    def make_targets(self):
        """Make a row for each verb with a button, in a state that the verb would change."""
        self.enterContext(at(NOON, hours=3))
        made = {
            "workflow": self.workflow_for,
            "queue": self.queue_for,
            "schedule": self.schedule_for,
            "worker": self.worker_for,
        }
        return [
            Target(kind, verb.name, str(made[kind](verb.name)), {**VALUES.get(verb.name, {}), **self.more(verb.name)})
            for kind in KINDS
            for verb in verbs_of(kind)
        ]

    @staticmethod
    def more(verb):
        return {"start": "2031-05-01T12:00", "end": "2031-05-01T14:30"} if verb == "backfill" else {}

    @staticmethod
    def workflow_for(verb):
        two_marks.using(id=f"for-{verb}").start("w")
        rows = Workflow.objects.filter(pk=f"for-{verb}")
        {"resume": rows.pause, "purge": rows.cancel}.get(verb, bool)()
        return f"for-{verb}"

    @staticmethod
    def queue_for(verb):
        Queue.objects.create(name=f"for-{verb}")
        rows = Queue.objects.filter(pk=f"for-{verb}")
        {"resume": rows.pause, "revert": lambda: rows.edit(concurrency=3)}.get(verb, bool)()
        return f"for-{verb}"

    @staticmethod
    def schedule_for(verb):
        schedule = make(name=f"for-{verb}", workflow=takes_both, context="w")
        if verb == "revert":
            Schedule.objects.filter(pk=schedule.pk).write(declared={"cron": "5 * * * *"})
        if verb == "resume":
            schedule.pause()
        return schedule.pk

    @staticmethod
    def worker_for(verb):
        return Worker.objects.register(f"for-{verb}", 1e9, hostname="here", pid=1).pk

    def operate_address(self, target):
        return reverse(f"admin:durable_django_{target.kind}_operate", args=[quote(target.key), target.verb])

    def on_page(self, target, **values):
        """Send the form of a verb from the page of a row; what a preview would let one confirm, too."""
        sent = sheet(**{**target.values, **values})
        token = values.get("confirmed") or self.token(self.client.post(self.operate_address(target), sent))
        return self.client.post(self.operate_address(target), {**sent, "confirmed": token})

    def on_list(self, target, **values):
        """Choose a row on the list, and confirm."""
        chosen = {"action": target.verb, "_selected_action": target.key}
        sent = {**chosen, **sheet(**{**target.values, **values})}
        address = url(target.kind, "changelist")
        token = values.get("confirmed") or self.token(self.client.post(address, {**sent, "look": "1"}))
        return self.client.post(url(target.kind, "changelist"), {**sent, "confirmed": token})

    def token(self, response):
        """Return what the button of a confirmation carries; 1 for a page that asks for none."""
        asked = response.context and response.context.get("asked")
        return asked.token if asked else "1"

    def state(self):
        """Return all that verbs change, to be compared."""
        return [list(model.objects.order_by("pk").values()) for model in (Workflow, Queue, Schedule, Message, Worker)]

    def records(self):
        """Return how many records there are of both kinds."""
        return Operation.objects.count(), LogEntry.objects.count()


ALL = [verb for verb in VERBS if verb.is_button]
