"""subject=, user= with permission=, version=: what a workflow is about, who may start it, which code it began with."""

from django.contrib.auth.models import AnonymousUser, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.test import TestCase

import durable_django as durable
from durable_django import RegistrationError, workflow
from durable_django.models import Workflow
from durable_django.testing import run_until_idle
from tests.behaviour.support import acting, row
from tests.sample.models import Note, Parcel
from tests.sample.promises import acts, acts_itself, takes_order


@workflow(permission="sample.add_parcel", version="1.0")
def guarded():
    return durable.current_workflow().version


def module_level():
    pass


class ASubject(TestCase):
    def setUp(self):
        self.parcel, self.other = (Parcel.objects.create(label=label) for label in "ab")

    def test_finds_its_workflows(self):
        """Any saved row: by for_subject(), by the relation of its model, and from the workflow's row."""
        note = Note.objects.create(title="ä/1")
        for subject in (self.parcel, note):
            with self.subTest(subject=subject):
                handle = acts.using(subject=subject).start()
                acts.using(subject=self.other).start()

                self.assertEqual([handle.id], [each.pk for each in Workflow.objects.for_subject(subject)])
                self.assertEqual([handle.id], [each.pk for each in subject.workflows.queued()])
                self.assertEqual(subject, row(handle).subject)

    def test_is_joined(self):
        """In queries of its model, on both databases, whatever type its primary key has."""
        acts.using(subject=self.parcel).start()
        Workflow.objects.update(status="failed", finished_at="2026-01-01T00:00Z")
        acts.using(subject=self.other).start()

        self.assertEqual([self.parcel], list(Parcel.objects.filter(workflows__status="failed")))
        self.assertEqual(
            [self.parcel], list(Parcel.objects.prefetch_related("workflows").filter(workflows__status="failed"))
        )

    def test_is_prefetched(self):
        """One query for the workflows of many."""
        for subject in (self.parcel, self.other, self.other):
            acts.using(subject=subject).start()
        with self.assertNumQueries(2):
            counts = {each.label: len(each.workflows.all()) for each in Parcel.objects.prefetch_related("workflows")}

        self.assertEqual({"a": 1, "b": 2}, counts)

    def test_takes_no_workflow_along(self):
        """It is deleted; they go on, whether they live or have ended."""
        handle = acts.using(subject=self.parcel).start()
        key = self.parcel.pk
        self.parcel.delete()
        Parcel.objects.all().delete()
        run_until_idle()

        self.assertEqual(
            ("succeeded", str(key), None), (row(handle).status, row(handle).subject_id, row(handle).subject)
        )

    def test_must_be_saved(self):
        """And a row at all."""
        for error, wrong in ((ValueError, Parcel()), (TypeError, 7), (TypeError, Parcel)):
            with self.subTest(wrong=wrong):
                with self.assertRaisesMessage(error, "subject must be"):
                    acts.using(subject=wrong)
                with self.assertRaisesMessage(error, "subject must be"):
                    Workflow.objects.for_subject(wrong)

    def test_is_that_of_many(self):
        """start_many() gives it to each; children have none."""
        with acting(lambda: takes_order.using(delay=3600).start(1).id):
            acts_itself.using(subject=self.parcel).start_many([(), ()])
            run_until_idle()

        self.assertEqual((4, 2), (Workflow.objects.count(), self.parcel.workflows.count()))

    def test_is_that_of_the_fork(self):
        """And of a row that is pruned no more."""
        handle = acts.using(subject=self.parcel).start()
        row(handle).fork()

        self.assertEqual(2, self.parcel.workflows.count())


class APermission(TestCase):
    def setUp(self):
        self.ann, self.bob = (User.objects.create(username=name) for name in ("ann", "bob"))
        kind = ContentType.objects.get_for_model(Parcel)
        permission, _is_new = Permission.objects.get_or_create(
            content_type=kind, codename="add_parcel", defaults={"name": "add"}
        )
        self.ann.user_permissions.add(permission)

    def test_is_asked_of_the_user(self):
        """Given as a user or as a key; by each way of starting."""
        for user in (self.ann, self.ann.pk, str(self.ann.pk)):
            with self.subTest(user=user):
                self.assertEqual(str(self.ann.pk), row(guarded.using(user=user).start()).started_by)
        guarded.using(user=self.ann).start_many([(), ()])

        self.assertEqual(5, Workflow.objects.count())

    def test_is_missing(self):
        """Nothing is started: another user, an anonymous one, an inactive one, one that is gone."""
        inactive = User.objects.create(username="eve", is_active=False, is_superuser=True)
        for user in (self.bob, self.bob.pk, AnonymousUser(), inactive, 10**6):
            definition = guarded.using(user=user)
            for start in (definition.start, lambda d=definition: d.start_many([()]), definition):
                with self.subTest(user=user), self.assertRaisesMessage(PermissionDenied, "it needs the permission"):
                    start()

        self.assertEqual(0, Workflow.objects.count())

    def test_is_not_asked_of_code(self):
        """Without a user the project's own code starts it."""
        self.assertEqual("queued", guarded.start().status)

    def test_is_asked_in_a_workflow(self):
        """A child that its user may not start is an error, recorded."""
        with acting(lambda: guarded.using(user=self.bob)()):
            handle = acts_itself.start()
            run_until_idle()

        self.assertEqual(("failed", 1), (handle.refresh().status, Workflow.objects.count()))
        with self.assertRaises(PermissionDenied):
            handle.result()

    def test_is_one_as_has_perm_takes_it(self):
        """With the label of its app."""
        for wrong in (7, "", "sell", "shop.", ".sell", "a\0.b"):
            with self.subTest(wrong=wrong), self.assertRaisesMessage(RegistrationError, "permission"):
                workflow(permission=wrong)(module_level)


class AVersion(TestCase):
    def test_is_that_of_the_declaration(self):
        """On the row, and known to the workflow."""
        handle = guarded.start()
        run_until_idle()

        self.assertEqual(("1.0", "1.0"), (row(handle).version, handle.result()))

    def test_may_be_another_one(self):
        """By using(), and of a fork."""
        handle = guarded.using(version="2.0").start()
        fork = row(handle).fork(version="3.0")
        run_until_idle()

        self.assertEqual(("2.0", "3.0"), (handle.refresh().result(), durable.get_handle(fork.pk).result()))

    def test_is_a_text(self):
        """Of a bounded length."""
        for wrong in (2, "x" * 256):
            with self.assertRaisesMessage(RegistrationError, "@workflow(version=)"):
                workflow(version=wrong)(module_level)
            with self.assertRaisesMessage((TypeError, ValueError), "version must"):
                guarded.using(version=wrong)
