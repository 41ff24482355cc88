"""on_failure, on_cancel: another workflow starts in the transaction that writes the end of this one."""

from unittest import mock

from django.test import TestCase

from durable_django import RegistrationError, Retry, get_handle, workflow
from durable_django.base import payloads
from durable_django.models import Worker, Workflow, followers, workflow_queryset
from durable_django.testing import run_until_idle, travel
from tests.behaviour.states import claim
from tests.behaviour.support import acting, row, waiting
from tests.sample import branching
from tests.sample.here import Here


@workflow
def refunds(workflow_id, order, note="", *, urgent=False):
    return [workflow_id, order, note, urgent]


@workflow(on_failure=refunds, on_cancel="tests.releases", timeout=60)
def sells(order, note="", *, urgent=False):  # noqa: ARG001 - what follows gets them
    return Here.act()


@workflow(name="tests.releases", queue="second", priority=9)
def releases(workflow_id, *_arguments, **_more):
    return workflow_id


@workflow(name="tests.laments")
def laments(*_arguments, **_more):
    return "alas"


@workflow(on_failure="tests.laments", retry=Retry(max_attempts=2, base_seconds=10, jitter=0))
def tries_twice(_order):
    return 1 / 0


@workflow(queue="tenants")
def refunds_a_tenant(*_arguments, **_more):
    return "refunded"


@workflow(on_failure=refunds_a_tenant)
def sells_to_a_tenant():
    return 1 / 0


def boom():
    raise LookupError("broken")


class AFailure(TestCase):
    def test_starts_what_follows(self):
        """Once, with the id and the arguments, as no child."""
        with acting(boom):
            handle = waiting(sells, 7, urgent=True)
        follower = get_handle(f"{handle.id}:on_failure:1")

        self.assertEqual([handle.id, 7, "", True], follower.result())
        self.assertEqual((None, refunds.name), (follower.workflow.parent_id, follower.workflow.name))
        self.assertEqual(1, Workflow.objects.filter(name=refunds.name).count())

    def test_starts_it_again_after_another_attempt(self):
        """An operator resumed it, and it failed anew."""
        with acting(boom):
            handle = waiting(sells, 7)
            row(handle).resume()
            run_until_idle()

        self.assertEqual(2, Workflow.objects.filter(name=refunds.name).count())

    def test_starts_it_in_a_queue_with_partitions(self):
        """Without a key of its own, in the empty one; a worker would find it after half a minute otherwise."""
        handle = waiting(sells_to_a_tenant)
        follower = get_handle(f"{handle.id}:on_failure:1")

        self.assertEqual(("succeeded", ""), (follower.workflow.status, follower.workflow.partition_key))

    def test_starts_it_when_no_retry_is_left(self):
        """And not before."""
        handle = waiting(tries_twice, 7)
        before = Workflow.objects.count()
        with travel(seconds=11):
            run_until_idle()

        self.assertEqual(
            (1, ["tests.laments"]),
            (before, list(Workflow.objects.exclude(pk=handle.id).values_list("name", flat=True))),
        )

    def test_of_a_worker_is_one(self):
        """Recoveries are exhausted: the janitor ends it, and knows no code."""
        handle = sells.start(7)
        Workflow.objects.update(max_recoveries=0)
        claim(handle)
        Worker.objects.all().expire()
        Workflow.objects.recover()

        self.assertEqual(("failed", 1), (row(handle).status, Workflow.objects.filter(name=refunds.name).count()))

    def test_and_what_follows_are_one_transaction(self):
        """If that cannot be written, neither is."""
        handle = sells.start(7)
        attempt = claim(handle)
        with mock.patch.object(followers, "_follower", side_effect=LookupError), self.assertRaises(LookupError):
            attempt.fail("error")

        self.assertEqual("running", row(handle).status)

    def test_wakes_who_waits_as_ever(self):
        """A parent gets the error of its child."""
        with acting(boom):
            handle = waiting(branching.awaits_end_of, sells.start(7).id)

        with self.assertRaises(LookupError):
            handle.result()
        self.assertEqual(1, Workflow.objects.filter(name=refunds.name).count())


class ACancellation(TestCase):
    def test_starts_what_follows(self):
        """By an operator, also of many; on the queue and with the priority of its declaration."""
        handles = [sells.start(number) for number in range(3)]
        Workflow.objects.cancel()
        made = Workflow.objects.filter(name="tests.releases")

        self.assertEqual({f"{each.id}:on_cancel:0" for each in handles}, set(made.values_list("pk", flat=True)))
        self.assertEqual({("second", 9, "queued")}, set(made.values_list("queue", "priority", "status")))

    def test_of_many_leaves_what_follows_alone(self):
        """However many batches it takes: what it starts itself was not meant."""
        for children in (False, True):
            with self.subTest(children=children), mock.patch.object(workflow_queryset, "BATCH", 2):
                for number in range(5):
                    sells.using(id=f"{children}-{number}").start(number)
                rows = Workflow.objects.filter(pk__startswith=children)
                count = rows.cancel(children=children)

                states = rows.filter(name="tests.releases").values_list("status", flat=True)
                self.assertEqual((5, ["queued"] * 5), (count, list(states)))

    def test_starts_it_again_however_it_came_about(self):
        """It was resumed, and cancelled again before its first attempt; or its id was given anew."""
        handle = sells.using(id="s").start(7)
        row(handle).cancel()
        row(handle).resume()
        row(handle).cancel()
        row(handle).purge()
        row(sells.using(id="s").start(8)).cancel()

        made = Workflow.objects.filter(name="tests.releases").order_by("line")
        self.assertEqual([[7], [7], [8]], [[*payloads.decode_call(each.arguments)[0][1:]] for each in made])

    def test_starts_it_at_the_deadline(self):
        """The janitor cancels."""
        handle = sells.start(7)
        claim(handle)
        with travel(seconds=61):
            Workflow.objects.expire()

        self.assertEqual("queued", get_handle(f"{handle.id}:on_cancel:1").status)

    def test_of_another_project_starts_it_in_the_same_queue(self):
        """Whoever has the turn ends it at its deadline; only its own project serves the queues of what follows."""
        for application in ("", "bakery"):
            handle = sells.start(7)
            claim(handle)
            changes = {"application": application, "queue": "ovens", "on_cancel": "gone.release"}
            Workflow.objects.filter(pk=handle.id).update(**changes)
        with travel(seconds=61):
            Workflow.objects.expire()

        found = Workflow.objects.filter(name="gone.release").values_list("application", "queue")
        self.assertEqual({("", "default"), ("bakery", "ovens")}, set(found))

    def test_starts_it_with_the_tree(self):
        """Of each that is cancelled; what follows is not cancelled with it, not even when asked again."""
        with acting(lambda: sells.using(delay=3600).start(7) and branching.waiting_child()):
            handle = waiting(branching_parent)
        for _time in range(2):
            row(handle).cancel()

        self.assertEqual(
            ["queued"], list(Workflow.objects.filter(name="tests.releases").values_list("status", flat=True))
        )

    def test_that_comes_too_late_starts_nothing(self):
        """What has ended is not cancelled."""
        handle = waiting(sells, 7)
        row(handle).cancel()

        self.assertEqual(("succeeded", 1), (row(handle).status, Workflow.objects.count()))


@workflow
def branching_parent():
    return Here.act()


class ADeclaration(TestCase):
    def test_names_a_workflow(self):
        """Itself, or its name, which may be declared later."""
        for wrong in (7, "", refunds.registered.func, "a\0b"):
            for option in ("on_failure", "on_cancel"):
                with self.subTest(wrong=wrong), self.assertRaisesMessage(RegistrationError, f"@workflow({option}=)"):
                    workflow(**{option: wrong})(module_level)

    def test_stands_in_the_row(self):
        """So that who ends it need not know its code; a fork has the same."""
        handle = sells.start(7)
        fork = row(handle).fork()

        for each in (row(handle), fork):
            self.assertEqual((refunds.name, "tests.releases"), (each.on_failure, each.on_cancel))


def module_level():
    pass
