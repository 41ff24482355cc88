"""The newsletter, an app that only knows django.tasks: its tasks are durable all the same."""

import re
from pathlib import Path
from unittest import mock

from django.core import mail
from django.db import IntegrityError
from django.test import TestCase, override_settings

from durable_django.models import Workflow
from durable_django.testing import crash_after, run_until_idle
from example_project import newsletter
from example_project.newsletter.models import Delivery, Subscriber
from example_project.newsletter.tasks import deliver, greet, send_issue

PAGE = "/newsletter/"


def recipients():
    return sorted(address for message in mail.outbox for address in message.to)


@override_settings(ROOT_URLCONF="example_project.urls")
class TheNewsletter(TestCase):
    def test_knows_nothing_of_durable_django(self):
        """No module of the app imports it."""
        for path in Path(newsletter.__file__).parent.rglob("*.py"):
            with self.subTest(path=path.name):
                self.assertIsNone(re.search(r"^\s*(from|import) durable_django", path.read_text(), re.MULTILINE))

    def test_welcomes_who_subscribes(self):
        """The page shows the state of the greeting's task."""
        response = self.client.post(f"{PAGE}subscribe/", {"email": "grace@example.com"}, follow=True)
        self.assertContains(response, "Ready")
        run_until_idle()

        self.assertEqual(["grace@example.com"], recipients())
        self.assertContains(self.client.get(PAGE), "Successful")

    def test_enqueues_nothing_without_the_subscriber(self):
        """Both are one transaction: no greeting for a row that does not exist."""
        with (
            mock.patch.object(Subscriber, "save", side_effect=[None, IntegrityError]),
            mock.patch.object(Subscriber, "pk", 1),
            self.assertRaises(IntegrityError),
        ):
            self.client.post(f"{PAGE}subscribe/", {"email": "grace@example.com"})

        self.assertFalse(Workflow.objects.exists())

    def test_refuses_what_is_no_address(self):
        """The form comes back with what is wrong."""
        response = self.client.post(f"{PAGE}subscribe/", {"email": "grace"})

        self.assertContains(response, "valid email", status_code=422)
        self.assertEqual(422, self.client.post(f"{PAGE}issue/", {"subject": ""}).status_code)

    def test_sends_an_issue_to_everybody_once(self):
        """Each delivery is a task of its own; a worker that dies behind some repeats none."""
        for name in ("ada", "grace", "hedy"):
            Subscriber.objects.create(email=f"{name}@example.com")
        self.client.post(f"{PAGE}issue/", {"subject": "News", "text": "There is some."})
        step = mock.Mock()
        step.spec.name = deliver.module_path
        with crash_after(step):
            run_until_idle()
        run_until_idle()

        self.assertEqual(["ada@example.com", "grace@example.com", "hedy@example.com"], recipients())
        self.assertEqual(3, Delivery.objects.filter(sent_at__isnull=False).count())
        self.assertContains(self.client.get(PAGE), "<td>News</td>", count=3)

    def test_does_not_send_the_same_issue_twice(self):
        """Somebody may press the button again."""
        Subscriber.objects.create(email="ada@example.com")
        results = [send_issue.enqueue("News", "There is some.") for _time in range(2)]
        run_until_idle()

        self.assertEqual([1, 1], [send_issue.get_result(result.id).return_value for result in results])
        self.assertEqual(["ada@example.com"], recipients())

    def test_tells_of_a_subscriber_who_is_gone(self):
        """The task has failed, with the error of the ORM."""
        result = greet.enqueue(0)
        run_until_idle()
        result.refresh()

        self.assertIn("DoesNotExist", result.errors[0].exception_class_path)
