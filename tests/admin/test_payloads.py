"""Payloads in the admin: who may see them, without which secrets, and how they can be had in full."""

import json

from durable_django import send
from durable_django.base import payloads
from durable_django.models import Event, Message, Step, StreamEntry, Workflow
from durable_django.testing import run_until_idle
from tests.admin.support import AdminTestCase, url
from tests.sample.workflows import Flaky, retried, two_marks

CANARY = "hunter2-canary"


def everywhere(text, key="key"):
    """Put a text into each payload of a workflow."""
    two_marks.using(id="w1").start({key: text})
    run_until_idle()
    value, error = payloads.encode({key: text}), payloads.encode_error(ValueError(f"{key}={text}"))
    Workflow.objects.update(output=value, error=error, status="failed")
    Step.objects.filter(position=1).update(output=value)
    Step.objects.filter(position=2).update(error=error)
    Message.objects.create(workflow_id="w1", topic="t", value=value)
    Message.objects.create(workflow_id="w1", topic="t", value=value, sender="w1")
    Event.objects.create(workflow_id="w1", key="e", value=value)
    StreamEntry.objects.create(workflow_id="w1", key="s", offset=0, position=1, value=value)


def sources():
    """Return the downloads of all of it, whose column has a value."""
    steps = [f"step-{row.pk}-{'output' if row.error is None else 'error'}" for row in Step.objects.all()]
    rows = [
        f"{kind}-{row.pk}"
        for kind, model in (("message", Message), ("event", Event), ("entry", StreamEntry))
        for row in model.objects.all()
    ]
    return ["arguments", "output", "error", *steps, *rows]


class WhoMayNotSeePayloads(AdminTestCase):
    def setUp(self):
        self.client.force_login(self.staff("outsider", "view_workflow"))

    def test_sees_that_there_is_something_and_its_size(self):
        """And not what, anywhere on the page."""
        everywhere(CANARY)

        page = self.page("w1")

        self.assertNotContains(page, CANARY)
        self.assertContains(page, "which you may not see")
        self.assertContains(
            page, f"{len(payloads.encode_call(({'key': CANARY},), {}))}\xa0bytes, which you may not see"
        )
        self.assertNotContains(page, "/payload/")

    def test_reads_no_error_in_the_reason_either(self):
        """The sentence says when it is tried again, and not why."""
        Flaky.failures = 1
        retried.using(id="w1").start("w")
        run_until_idle()

        page = self.page("w1")

        self.assertContains(page, "retry 1 of step &#x27;flaky&#x27; in ")
        self.assertNotContains(page, "the provider does not answer")

    def test_downloads_nothing(self):
        """Whatever the address."""
        everywhere(CANARY)

        for source in sources():
            response = self.client.get(url("workflow", "payload", "w1", source))
            self.assertEqual(403, response.status_code, source)
            self.assertNotIn(CANARY, response.content.decode())

    def test_is_named_in_the_log_by_what_he_tried_to_download(self):
        """User and workflow, as for verbs."""
        two_marks.using(id="w1").start("w")

        with self.assertLogs("durable_django.operation", "WARNING") as logs:
            self.client.get(url("workflow", "payload", "w1", "arguments"))

        said = "outsider was refused: no permission to view_payload workflow w1"
        self.assertEqual([said], [record.getMessage() for record in logs.records])


class WhoMaySeePayloads(AdminTestCase):
    def download(self, source, workflow_id="w1"):
        return self.client.get(url("workflow", "payload", workflow_id, source))

    def test_sees_no_secret(self):
        """Neither on the page nor in a file."""
        everywhere(CANARY, key="password")

        texts = [self.page("w1").content.decode(), *(self.download(each).content.decode() for each in sources())]

        for text in texts:
            self.assertNotIn(CANARY, text)
            self.assertIn("[hidden]", text)

    def test_sees_what_the_project_says(self):
        """An empty REDACT hides nothing."""
        everywhere(CANARY, key="password")

        with self.settings(DURABLE_DJANGO={"REDACT": ""}):
            self.assertContains(self.page("w1"), CANARY)
            self.assertContains(self.download("output"), CANARY)

    def test_has_each_of_them_as_a_file(self):
        """JSON that no browser takes for a page."""
        everywhere("</script><b>")

        for source in sources():
            response = self.download(source)
            self.assertEqual(200, response.status_code, source)
            self.assertEqual("application/json", response["Content-Type"])
            self.assertEqual("nosniff", response["X-Content-Type-Options"])
            self.assertIn("private, no-store", response["Cache-Control"])
            self.assertEqual(f'attachment; filename="w1-{source}.json"', response["Content-Disposition"])
            json.loads(response.content)

    def test_has_all_of_what_is_too_long_for_the_page(self):
        """The page says so, and leads there."""
        two_marks.using(id="w1").start("w")
        run_until_idle()
        Workflow.objects.update(output=payloads.encode("x" * 500_000))

        page = self.page("w1")

        self.assertContains(page, "Not all of it is shown")
        self.assertContains(page, url("workflow", "payload", "w1", "output"))
        self.assertEqual("x" * 500_000, json.loads(self.download("output").content))

    def test_has_why_something_cannot_be_read(self):
        """Instead of what nobody could tell secrets in."""
        two_marks.using(id="w1").start("w")
        for stored in ("{", f'{{"password": "{CANARY}"', "[" * 5000 + "]" * 5000):
            Workflow.objects.update(arguments=stored)
            found = self.download("arguments")
            self.assertIn("unreadable", json.loads(found.content))
            self.assertNotContains(found, CANARY)

    def test_finds_nothing_under_other_names(self):
        """Other columns, other rows, of other workflows, of nobody."""
        everywhere("x")
        two_marks.using(id="w2").start("w")
        step, message = Step.objects.first().pk, Message.objects.first().pk
        for source in (
            "fingerprint", "reason", "step-1", "step-999999-output", f"step-{step}", "message-x",
            f"message-{message}-error",
            "event-1-output", "event-999999999999999999",
        ):  # fmt: skip
            self.assertEqual(404, self.download(source).status_code, source)
        for source in (f"step-{step}-output", f"message-{message}"):
            self.assertEqual(404, self.download(source, "w2").status_code, source)
        for nobody in ("nobody", "a\0b"):
            self.assertEqual(404, self.download("arguments", nobody).status_code)

    def test_cannot_do_anything_but_read(self):
        """A download is a GET."""
        everywhere("x")

        self.assertEqual(405, self.client.post(url("workflow", "payload", "w1", "output")).status_code)

    def test_finds_ids_with_any_character(self):
        """Also one that looks like an address of a payload."""
        for key in ("a/b", "a/payload/output/", 'q"u?o#t&e\r\n', "訂單"):
            two_marks.using(id=key.strip()).start("w")
            found = self.download("arguments", key.strip())
            self.assertEqual({"args": ["w"], "kwargs": {}}, json.loads(found.content), key)

    def test_may_send_and_be_sent(self):
        """The message in the mailbox of another one is a payload of the sender, too."""
        two_marks.using(id="w1").start("w")
        two_marks.using(id="w2").start("w")
        send("w2", "hello")
        Message.objects.update(sender="w1")

        for workflow_id in ("w1", "w2"):
            found = self.download(f"message-{Message.objects.get().pk}", workflow_id)
            self.assertEqual("hello", json.loads(found.content))


class WhoMayNotSeeWorkflows(AdminTestCase):
    def test_downloads_nothing(self):
        """The permission to see payloads alone shows none."""
        two_marks.using(id="w1").start("w")

        for user in (self.staff("half", "view_payload"), self.staff("nobody")):
            self.client.force_login(user)
            self.assertEqual(403, self.client.get(url("workflow", "payload", "w1", "arguments")).status_code)

    def test_is_led_to_the_login(self):
        """Without one."""
        self.client.logout()

        self.assertEqual(302, self.client.get(url("workflow", "payload", "w1", "arguments")).status_code)
