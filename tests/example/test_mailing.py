"""Mails leave no faster than the provider takes them, clubs have their turns, and many changes are one notice."""

from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import TestCase
from django.urls import reverse

from durable_django.base import registry
from durable_django.models import Queue, QueueStart, Workflow
from durable_django.testing import crash_after, run_until_idle, travel
from example_project.mailing import workflows
from example_project.mailing.letters import write_to_all
from example_project.mailing.models import Club, Copy, Letter, Member
from example_project.mailing.profiles import profile_changed
from example_project.mailing.sample import make_clubs
from example_project.mailing.workflows import mails
from example_project.provider.faults import Behaviour
from example_project.provider.ledger import MAIL_SECONDS, MOST_MAILS
from tests.example.provider import ProviderMixin
from tests.example.shop import as_in_the_shop

LIMIT = mails.limits.rate_limit


@as_in_the_shop
class MailingCase(ProviderMixin, TestCase):
    @classmethod
    def setUpTestData(cls):
        make_clubs()
        cls.chess, cls.choir, cls.garden = (Club.objects.get(slug=slug) for slug in ("chess", "choir", "garden"))
        cls.member = cls.choir.members.first()

    def setUp(self):
        super().setUp()
        Queue.objects.sync(registry.queues.declared())

    def sent(self):
        """Return the subjects that the provider has taken, in order."""
        return [subject for _recipient, subject, _moment in self.ledger.mails()]

    def work_for(self, seconds):
        """Let workers have so much time, in steps of a window and a bit."""
        for second in range(0, seconds, 3):
            with travel(seconds=second):
                run_until_idle()


class TheRate(MailingCase):
    def test_holds(self):
        """However many are written, no more begin in a window than the queue allows."""
        write_to_all(self.chess, "News")

        run_until_idle()

        self.assertEqual(LIMIT, len(self.sent()))
        self.assertEqual(120 - LIMIT, Workflow.objects.queued().count())

    def test_lets_all_leave_in_the_end(self):
        """Window by window; the provider has refused none."""
        write_to_all(self.chess, "News")

        self.work_for(30)

        self.assertEqual(120, len(set(self.ledger.mails())))
        self.assertFalse(Copy.objects.filter(mail_id="").exists())
        self.assertEqual(120, len(self.requests))
        moments = [moment for _recipient, _subject, moment in self.ledger.mails()]
        windows = zip(moments, moments[MOST_MAILS:], strict=False)
        self.assertEqual([], [first for first, last in windows if last - first < MAIL_SECONDS])

    def test_is_no_matter_of_retries(self):
        """A mail that the provider was not well for is tried again, and is one start all the same."""
        self.fail_first(Behaviour.UNAVAILABLE)
        write_to_all(self.choir, "Rehearsal")

        self.work_for(9)

        self.assertEqual(["Rehearsal"] * 3, self.sent())
        self.assertEqual(3, QueueStart.objects.count())

    def test_worker_dies(self):
        """Behind a mail that was taken and not recorded: the key tells the provider, and recovery is no start."""
        write_to_all(self.choir, "Rehearsal")

        with crash_after(workflows.hand_over, recorded=False):
            run_until_idle()
        run_until_idle()

        self.assertEqual((4, 3), (len(self.requests), len(self.sent())))
        self.assertEqual(3, QueueStart.objects.count())

    def test_may_be_edited_by_an_operator(self):
        """The next claim honours it."""
        self.addCleanup(mails.revert)
        mails.edit(rate=None)
        write_to_all(self.garden, "Seeds")
        run_until_idle()

        self.assertEqual(12, len(self.sent()))


class TheTurns(MailingCase):
    def test_small_club_does_not_wait_for_a_large_one(self):
        """Whoever wrote first, the letters of all clubs leave side by side."""
        write_to_all(self.chess, "News of the chess club")
        write_to_all(self.choir, "Rehearsal")
        write_to_all(self.garden, "Seeds")

        run_until_idle()

        first = self.sent()
        self.assertEqual(LIMIT, len(first))
        self.assertEqual(3, first.count("Rehearsal"))
        self.assertEqual(6, first.count("Seeds"))

    def test_notice_comes_before_the_letters_of_its_club(self):
        """By its priority; the other clubs are not put off by it."""
        write_to_all(self.garden, "Seeds")
        write_to_all(self.choir, "Rehearsal")
        member = self.garden.members.first()
        profile_changed(member)

        with travel(seconds=6):
            run_until_idle()

        order = self.sent()
        self.assertLess(order.index(f"{member}, your profile was changed"), order.index("Seeds"))
        self.assertLess(order.index("Rehearsal"), 3)


class AProfile(MailingCase):
    def change(self, name):
        self.member.name = name
        self.member.save()
        return profile_changed(self.member)

    def test_notice(self):
        """A member who changes things one by one is told once, with what was said last."""
        for second, name in ((0, "Ada"), (3, "Ada L."), (6, "Ada Lovelace")):
            with travel(seconds=second):
                self.change(name)
                run_until_idle()
        with travel(seconds=12):
            run_until_idle()

        self.assertEqual(["Ada Lovelace, your profile was changed"], self.sent())

    def test_notice_is_not_put_off_for_ever(self):
        """After half a minute it leaves, though changes go on."""
        for second in range(0, 29, 4):
            with travel(seconds=second):
                self.change(f"Ada {second}")
        with travel(seconds=31):
            run_until_idle()

        self.assertEqual(["Ada 28, your profile was changed"], self.sent())

    def test_changes_of_two_members(self):
        """Are two notices."""
        other = self.choir.members.last()

        self.assertNotEqual(profile_changed(other).id, self.change("Ada").id)


class TheLetter(MailingCase):
    def test_is_all_or_nothing(self):
        """Copies and workflows are one transaction."""
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            write_to_all(self.choir, "Rehearsal")
            raise ZeroDivisionError
        self.assertEqual((0, 0, 0), self.counts())

        write_to_all(self.choir, "Rehearsal")

        self.assertEqual((1, 3, 3), self.counts())
        self.assertEqual({"choir"}, set(Workflow.objects.values_list("partition_key", flat=True)))

    def counts(self):
        return Letter.objects.count(), Copy.objects.count(), Workflow.objects.count()


class TheSample(MailingCase):
    def test_is_made_once(self):
        """Asked again it finds the clubs."""
        make_clubs()

        self.assertEqual((3, 135), (Club.objects.count(), Member.objects.count()))


class ThePages(MailingCase):
    def test_clubs(self):
        """Each with its numbers, whatever their count in one query, beside the limits of the queue."""
        write_to_all(self.choir, "Rehearsal")

        with self.assertNumQueries(2):  # clubs, queue
            page = self.client.get(reverse("mailing:clubs"))

        self.assertContains(page, "at most 15 mails start in 2 seconds, 4 of one club at a time.")
        self.assertEqual((3, 3, 0), self.numbers(page, "choir"))
        self.assertContains(page, 'http-equiv="refresh"')

        run_until_idle()
        page = self.client.get(reverse("mailing:clubs"))
        self.assertEqual((3, 0, 3), self.numbers(page, "choir"))
        self.assertEqual((120, 0, 0), self.numbers(page, "chess"))
        self.assertNotContains(page, 'http-equiv="refresh"')

    def numbers(self, page, slug):
        (club,) = [club for club in page.context["clubs"] if club.slug == slug]
        return club.member_count, club.waiting_count, club.sent_count

    def test_write(self):
        """A button writes to all members; without a subject it does not."""
        address = reverse("mailing:write", args=["choir"])

        self.assertContains(self.client.post(address, {"subject": "Hello"}, follow=True), "on its way to 3 members")
        self.assertContains(self.client.post(address, {"subject": " "}, follow=True), "needs a subject")

        self.assertEqual(3, Copy.objects.count())

    def test_club(self):
        """Its members, the first fifty of them."""
        page = self.client.get(reverse("mailing:club", args=["chess"]))

        self.assertContains(page, "The first 50 of 120.")
        self.assertEqual(404, self.client.get(reverse("mailing:club", args=["none"])).status_code)

    def test_profile(self):
        """Saving changes it and starts the notice; what cannot be saved does neither."""
        address = reverse("mailing:profile", args=["choir", self.member.pk])

        self.assertContains(self.client.post(address, {"name": "Ada", "email": "no"}), "valid email")
        self.assertFalse(Workflow.objects.exists())
        changed = {"name": "Ada", "email": "a@b.example"}
        self.assertContains(self.client.post(address, changed, follow=True), "Changed. Ada")

        self.assertEqual("a@b.example", Member.objects.get(pk=self.member.pk).email)
        self.assertEqual(f"profile-{self.member.pk}", Workflow.objects.get().deduplication_key)

    def test_pause(self):
        """Who has logged in stops all mails, and lets them leave again."""
        pause, resume = reverse("mailing:pause"), reverse("mailing:resume")
        self.assertEqual(302, self.client.post(pause).status_code)
        self.assertFalse(Queue.objects.get(pk="mails").is_paused)
        self.client.force_login(get_user_model().objects.create_superuser("demo"))
        write_to_all(self.choir, "Rehearsal")

        self.assertContains(self.client.post(pause, follow=True), '<span class="pill paused">paused</span>')
        run_until_idle()
        self.assertEqual([], self.sent())
        self.client.post(resume)
        run_until_idle()

        self.assertEqual(3, len(self.sent()))

    def test_looking_changes_nothing(self):
        """What changes something wants a POST."""
        for address in (reverse("mailing:write", args=["choir"]), reverse("mailing:pause"), reverse("mailing:resume")):
            self.client.force_login(get_user_model().objects.get_or_create(username="demo")[0])
            self.assertEqual(405, self.client.get(address).status_code)


class TheAdmin(MailingCase):
    def test_change_of_a_member(self):
        """Lets the member know, as the page does; saving without a change does not."""
        self.client.force_login(get_user_model().objects.create_superuser("demo"))
        address = reverse("admin:mailing_member_change", args=[self.member.pk])
        values = {"club": self.choir.pk, "name": self.member.name, "email": self.member.email}

        self.assertEqual(302, self.client.post(address, values).status_code)
        self.assertFalse(Workflow.objects.exists())
        self.assertEqual(302, self.client.post(address, {**values, "name": "Ada"}).status_code)

        self.assertEqual("mailing.confirm_profile", Workflow.objects.get().name)
