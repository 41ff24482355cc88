"""contrib/alerts: a project that adds the app has its ADMINS mailed, once for each incident."""

import json
import os
import subprocess
import sys
from unittest import mock

from django.core import mail
from django.test import SimpleTestCase, override_settings

from durable_django import signals
from durable_django.contrib.alerts import workflows
from durable_django.models import Workflow
from durable_django.testing import run_until_idle, travel
from durable_django.worker.alerts import Alerts
from tests.monitoring.support import MonitoringTestCase, alive
from tests.sample.queued import begins

RECEIVERS = {
    "queue_delayed": workflows.on_queue_delayed,
    "schedule_broken": workflows.on_schedule_broken,
    "workflows_failing": workflows.on_workflows_failing,
    "worker_lost": workflows.on_worker_lost,
}
#: The suite imports what only some projects turn on.
for name in RECEIVERS:
    getattr(signals, name).disconnect(dispatch_uid=f"durable_alerts.{name}")

_SETTINGS = """
import json, django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "durable_django", *{apps}],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "x.sqlite3"}}}},
)
django.setup()
from django.core import checks
from durable_django import signals
from durable_django.base import registry
print(json.dumps([
    "durable_alerts.mail_alert" in registry.workflows.names(),
    any(key[0] == "durable_alerts.queue_delayed" for key, *_ in signals.queue_delayed.receivers),
    [str(each) for each in checks.run_checks() if each.is_serious()],
]))
"""


@override_settings(ADMINS=[("Ada", "ada@example.com")])
class Mails(MonitoringTestCase):
    def setUp(self):
        super().setUp()
        for name, receiver in RECEIVERS.items():
            getattr(signals, name).connect(receiver, dispatch_uid=f"test.{name}")
            self.addCleanup(getattr(signals, name).disconnect, dispatch_uid=f"test.{name}")

    def test_of_an_incident_is_sent_once(self):
        """However many workers look, and however often."""
        begins.start("a")
        alive("far", 30)
        with travel(seconds=310):
            for _worker in range(3):
                Alerts("default").look()
            Workflow.objects.filter(queue="single").update(status="succeeded")
            run_until_idle()

        subjects = {message.subject for message in mail.outbox}
        self.assertEqual({"[Django] Queue single is delayed", "[Django] A worker on h was lost"}, subjects)
        self.assertEqual((2, ["ada@example.com"]), (len(mail.outbox), mail.outbox[0].to))

    def test_holds_whatever_names_hold(self):
        """No name makes a header of its own."""
        signals.workflows_failing.send(None, name="a\nBcc: eve@example.com", count=3, workflow_id="order\r\n7")
        signals.schedule_broken.send(None, schedule="s\n", reason="ValueError: x\ny")
        run_until_idle()

        self.assertEqual(2, len(mail.outbox))
        self.assertEqual([[]] * 2, [message.bcc for message in mail.outbox])
        self.assertIn("a\\nBcc", mail.outbox[0].subject)
        self.assertIn("order\\r\\n7", mail.outbox[0].body)

    def test_holds_commands_that_do_no_more_than_they_say(self):
        """An id may come from anybody, and somebody will paste the line."""
        signals.workflows_failing.send(None, name="shop.checkout", count=1, workflow_id="7; rm -rf ~")
        run_until_idle()

        self.assertIn("durable show '7; rm -rf ~'.", mail.outbox[0].body)

    def test_is_sent_later_if_the_mail_server_is_away(self):
        """It is a workflow, with retries, in a queue of its own, that needs no thread."""
        with mock.patch.object(workflows, "mail_admins", side_effect=OSError("refused")):
            signals.queue_delayed.send(None, queue="emails", delay_seconds=400)
            run_until_idle()
        before = len(mail.outbox)
        row = Workflow.objects.get()
        with travel(seconds=30):
            run_until_idle()

        self.assertEqual((0, "waiting", "durable-alerts", True), (before, row.status, row.queue, row.is_async))
        self.assertEqual(["[Django] Queue emails is delayed"], [message.subject for message in mail.outbox])


class TheApp(SimpleTestCase):
    def started(self, *apps):
        environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        return json.loads(
            subprocess.run(
                [sys.executable, "-c", _SETTINGS.format(apps=list(apps))],
                env=environment, check=True, capture_output=True, text=True, timeout=120,
            ).stdout
        )  # fmt: skip

    def test_listens_where_it_is_installed(self):
        """And nowhere else."""
        self.assertEqual([True, True, []], self.started("durable_django.contrib.alerts"))
        self.assertEqual([False, False, []], self.started())
