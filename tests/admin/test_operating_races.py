"""Two operators at the same time: the database decides, and each is told what came of it."""

import re
import threading

from django.contrib.auth.models import User
from django.db import connections
from django.test import Client, TransactionTestCase
from django.utils import timezone

from durable_django.models import Operation, Schedule, Workflow
from tests.admin.support import sheet, url
from tests.behaviour.scheduling import make
from tests.sample.scheduled import takes_both
from tests.sample.workflows import two_marks


class TwoOperators(TransactionTestCase):
    def setUp(self):
        User.objects.create_superuser("root")

    def both(self, address, *forms):
        """Send forms to an address from two threads; return what each was told."""
        barrier, told = threading.Barrier(len(forms)), []

        def send(form):
            client = Client()
            client.force_login(User.objects.get(username="root"))
            barrier.wait()
            try:
                page = client.post(address, form, follow=True)
                # Not from the context: the client of one thread gets that of the other one as well.
                told.extend(re.findall(r'<li class="(?:success|warning|error)">(.*?)</li>', page.content.decode()))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=send, args=[form]) for form in forms]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(told)

    def test_who_cancel_the_same_workflow_do_it_once(self):
        """One of them is told that it had ended already."""
        for number in range(5):
            two_marks.using(id=f"w{number}").start("w")
            address = url("workflow", "operate", f"w{number}", "cancel")

            told = self.both(address, *(sheet(reason=who, confirmed="1") for who in ("mine", "yours")))

            self.assertEqual(["0 workflows were cancelled. 1 had ended already.", "1 workflow was cancelled."], told)
            found = Operation.objects.get(object_id=f"w{number}")
            self.assertEqual(found.reason, Workflow.objects.get(pk=f"w{number}").reason)

    def test_who_fork_the_same_failure_make_one_fork(self):
        """F4: whatever it did outside would be done twice; when it has failed anew, it can be forked anew."""
        for number in range(3):
            two_marks.using(id=f"w{number}").start("w")
            rows = Workflow.objects.filter(pk=f"w{number}")
            rows.update(status="failed", attempt=1, finished_at=timezone.now())
            address = url("workflow", "operate", f"w{number}", "fork")

            told = self.both(address, *(sheet(reason=who, place="failure", confirmed="1") for who in ("mine", "yours")))
            rows.update(attempt=2)
            anew = self.both(address, sheet(place="failure", confirmed="1"))

            left = "0 workflows were forked. 1 had been forked from its failure already."
            self.assertEqual([left, "1 workflow was forked."], told)
            self.assertEqual(["1 workflow was forked."], anew)
            self.assertEqual(2, Workflow.objects.filter(forked_from=f"w{number}").count())
            self.assertEqual(2, Operation.objects.filter(object_id=f"w{number}").count())

    def test_who_send_the_same_form_act_once(self):
        """A trigger that was pressed twice starts one workflow."""
        Schedule.objects.all().delete()
        schedule = make(workflow=takes_both, context="w", is_paused=True)
        for number in range(1, 6):
            form = sheet(confirmed="1")

            told = self.both(url("schedule", "operate", str(schedule.pk), "trigger"), form, form)

            self.assertIn("1 schedule was triggered.", told)
            self.assertIn("This was done already", "".join(told))
            self.assertEqual((number, number), (Workflow.objects.count(), Operation.objects.count()))
