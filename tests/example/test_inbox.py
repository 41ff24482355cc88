"""What an assistant proposes is done when a person approves of it, and not otherwise."""

from decimal import Decimal

from django.contrib.auth import get_user_model
from django.core import mail
from django.test import TestCase
from django.urls import reverse

from durable_django import WorkflowFinished, get_event, get_handle
from durable_django.models import Workflow
from durable_django.testing import crash_after, run_until_idle, travel
from example_project.inbox import assistant, workflows
from example_project.inbox.assistant import Proposal
from example_project.inbox.mailbox import fetch_letters
from example_project.inbox.models import Letter
from example_project.inbox.verdicts import Verdict, send_verdict
from tests.example.shop import as_in_the_shop

WEEK = workflows.DECISION_TIME.days


@as_in_the_shop
class InboxCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = get_user_model().objects.create_superuser("demo", password="demo")

    def setUp(self):
        fetch_letters()
        run_until_idle()
        self.client.force_login(self.user)
        self.letter = self.letter_from("Zoë Krüger")

    def letter_from(self, customer):
        return Letter.objects.with_progress().get(customer=customer)

    def url(self, letter=None):
        return reverse("inbox:letter", args=[(letter or self.letter).pk])

    def decide(self, verdict, note="", letter=None):
        """Answer the form, and let the workflow go on."""
        response = self.client.post(self.url(letter), {"verdict": verdict, "note": note}, follow=True)
        run_until_idle()
        return response

    def assert_closed(self, state, **facts):
        letter = Letter.objects.get(pk=self.letter.pk)
        self.assertEqual((state, facts), (letter.state, {name: getattr(letter, name) for name in facts}))
        self.assertEqual(state, get_handle(letter.workflow_id).result())


class TheProposal(InboxCase):
    def test_it_waits(self):
        """Each letter is read at once; then its workflow waits for a person, without doing anything."""
        proposal = get_event(self.letter.workflow_id, "proposal")

        self.assertEqual((Decimal(10), "Something arrived broken."), (proposal.credit, proposal.why))
        self.assertEqual({"waiting"}, set(Workflow.objects.values_list("status", flat=True)))
        self.assertEqual([], mail.outbox)

    def test_it_waits_for_days(self):
        """Almost a week later a person can still decide."""
        with travel(days=WEEK - 1):
            run_until_idle()
            self.decide("approve")

            self.assert_closed("answered")

    def test_time_is_over(self):
        """After a week without a verdict the letter expires, and nothing is done about it."""
        with travel(days=WEEK, hours=1):
            run_until_idle()

        self.assert_closed("expired", credit=Decimal(0), decided_by="")
        self.assertEqual([], mail.outbox)

    def test_what_was_approved_is_done(self):
        """Whatever the assistant would propose by now: what a person has seen is what is carried out."""
        self.addCleanup(setattr, assistant, "read", assistant.read)
        assistant.read = lambda _text: Proposal(Decimal(999), "Take it all.", "It has changed its mind.")

        self.decide("approve")

        self.assert_closed("answered", credit=Decimal(10))


class TheVerdict(InboxCase):
    def test_approved(self):
        """The credit is granted and the answer is sent, once; who approved is kept."""
        self.decide("approve", "she is right")

        self.assert_closed("answered", credit=Decimal(10), decided_by="demo", note="she is right")
        (answer,) = mail.outbox
        self.assertEqual((["zoe.krueger@mail.example"], "Re: One of three tea tins"), (answer.to, answer.subject))
        self.assertIn("we have granted you 10 EUR", answer.body)

    def test_rejected(self):
        """A letter that tells the assistant what to do does so in vain."""
        self.letter = self.letter_from("Max Power")
        self.assertEqual(Decimal(5000), get_event(self.letter.workflow_id, "proposal").credit)

        self.decide("reject", "Nice try.")

        self.assert_closed("rejected", credit=Decimal(0), note="Nice try.")
        self.assertEqual([], mail.outbox)

    def test_rejected_without_a_note(self):
        """The form asks why, and nothing is sent to the workflow."""
        response = self.decide("reject")

        self.assertContains(response, "Say why it is rejected.")
        self.assertEqual("waiting", get_handle(self.letter.workflow_id).status)

    def test_two_verdicts(self):
        """Of two people who decide at the same time the first one counts."""
        send_verdict(self.letter, Verdict(is_approved=True, by="first"))
        send_verdict(self.letter, Verdict(is_approved=False, by="second", note="no"))
        run_until_idle()

        self.assert_closed("answered", decided_by="first")

    def test_too_late(self):
        """Who decides about a letter that is closed is told so."""
        with travel(days=WEEK, hours=1):
            run_until_idle()

        self.assertContains(self.decide("approve"), "was closed meanwhile")
        self.assert_closed("expired")
        with self.assertRaises(WorkflowFinished):
            send_verdict(self.letter, Verdict(is_approved=True, by="late"))

    def test_worker_dies(self):
        """A worker that dies behind the verdict grants the credit once, and the answer leaves."""
        send_verdict(self.letter, Verdict(is_approved=True, by="demo"))

        with crash_after(workflows.close):
            run_until_idle()
        self.assertEqual([], mail.outbox)
        run_until_idle()

        self.assert_closed("answered", credit=Decimal(10))
        self.assertEqual(1, len(mail.outbox))


class TheMailbox(InboxCase):
    def test_known_letters(self):
        """A letter that was fetched before is not taken in again."""
        self.assertEqual((0, 5), (fetch_letters(), Letter.objects.count()))
        self.assertEqual(5, Workflow.objects.count())

    def test_button(self):
        """The button fetches what is new, and says how much that was."""
        self.assertContains(self.client.post("/inbox/fetch/", follow=True), "0 new letters.")


class ThePages(InboxCase):
    def test_strangers(self):
        """Who has not logged in sees nothing, and decides nothing."""
        self.client.logout()

        for response in (
            self.client.get("/inbox/"),
            self.client.get(self.url()),
            self.client.post(self.url(), {"verdict": "approve"}),
            self.client.post("/inbox/fetch/"),
        ):
            self.assertEqual((302, "/admin/login/"), (response.status_code, response.url.partition("?")[0]))
        self.assertEqual("waiting", get_handle(self.letter.workflow_id).status)

    def test_list(self):
        """All letters are listed in one query, those first that wait for a verdict, with the time that is left."""
        self.decide("approve")

        with self.assertNumQueries(3):  # session, user, letters
            response = self.client.get("/inbox/")

        self.assertEqual(4, response.content.decode().count("waits for you"))
        self.assertContains(response, "expires in 6\N{NO-BREAK SPACE}days, 23\N{NO-BREAK SPACE}hours")
        self.assertEqual(self.letter, response.context["letters"][-1])
        self.assertNotContains(response, 'http-equiv="refresh"')

    def test_letter(self):
        """A letter is shown with what is proposed, and with the form."""
        response = self.client.get(self.url())

        self.assertContains(response, "One of the three tins is broken")
        self.assertContains(response, "The assistant proposes")
        self.assertContains(response, "Please keep it; we have granted you 10 EUR.")
        self.assertContains(response, '<button class="primary" name="verdict" value="approve">')

    def test_verdict_on_its_way(self):
        """Until a worker has taken up a verdict the letter says so, and takes no other."""
        send_verdict(self.letter, Verdict(is_approved=True, by="demo"))

        response = self.client.get(self.url())

        self.assertContains(response, "being carried out")
        self.assertContains(response, 'http-equiv="refresh"')
        self.assertNotContains(response, 'name="verdict"')

    def test_letter_that_nobody_has_read(self):
        """Before the assistant has read a letter there is nothing to decide."""
        Letter.objects.all().delete()
        Workflow.objects.all().cancel()
        Letter.objects.create(message_id="new", customer="A", email="a@mail.example", subject="S", text="T")

        response = self.client.get(self.url(Letter.objects.get()))

        self.assertContains(response, "It has not read the letter yet.")
        self.assertNotContains(response, 'name="verdict"')

    def test_closed_letter(self):
        """A closed letter shows who decided, and takes no verdict any more."""
        self.decide("reject", "no")

        response = self.client.get(self.url())

        self.assertContains(response, "The assistant proposed")
        self.assertContains(response, "<dt>Decided by</dt><dd>demo</dd>")
        self.assertNotContains(response, 'name="verdict"')

    def test_text_is_escaped(self):
        """Whatever customers write is shown as text."""
        Letter.objects.filter(pk=self.letter.pk).update(text="<script>alert(1)</script>")

        self.assertContains(self.client.get(self.url()), "&lt;script&gt;alert(1)&lt;/script&gt;")

    def test_looking_changes_nothing(self):
        """What changes something wants a POST."""
        self.assertEqual(405, self.client.get("/inbox/fetch/").status_code)
