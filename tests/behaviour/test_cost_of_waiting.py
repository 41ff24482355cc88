"""What waiting and talking cost: the statements of each verb, counted; none depends on how many others wait."""

from unittest import mock

from django.db import connection, transaction
from django.test import TransactionTestCase, override_settings

import durable_django as durable
from durable_django import Message
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models import Workflow, workflow_queryset
from durable_django.testing import run_until_idle, travel
from tests.behaviour.retaining import ended
from tests.behaviour.states import claim
from tests.behaviour.support import acting, statements, summary, waiting
from tests.sample import talking
from tests.sample.promises import acts_itself
from tests.sample.talking import awaits_event, publishes_when_told, receives, sleeps

#: The lock of the workflow's row, the look, the row of the wait, the suspension: one transaction.
SUSPENSION = ["BEGIN", "SELECT workflow", "INSERT step", "UPDATE workflow", "COMMIT"]
OUTCOME = ["UPDATE workflow"]
#: Waking costs a look under the lock, and the change.
WAKE = ["SELECT workflow", "UPDATE workflow"]


@override_settings(DURABLE_DJANGO={"NOTIFY": False})
class CostTestCase(TransactionTestCase):
    def attempt(self, handle):
        """Claim a workflow, run it, and return what it did in the database."""
        held = claim(handle)
        with statements() as seen:
            attempts.attempt(held, Ownership("w"), "default")
        return summary(seen)

    def cost(self, act):
        with statements() as seen:
            act()
        return summary(seen)

    def acting(self, act):
        """Return what a workflow does in the database that does just that, between two steps."""
        handle = acts_itself.start()
        with acting(act):
            seen = self.attempt(handle)
        before = ["BEGIN", "SAVEPOINT", "INSERT sample_mark", "RELEASE", "INSERT step", "COMMIT"]
        after = ["INSERT sample_mark", "INSERT step", *OUTCOME]
        self.assertEqual((before, after), (seen[: len(before)], seen[len(seen) - len(after) :]))
        return seen[len(before) : len(seen) - len(after)]


class AWait(CostTestCase):
    def test_that_begins_is_one_transaction(self):
        """A sleep; a receive looks at the mailbox, too; nothing is read before it."""
        seen = self.attempt(sleeps.start(100))
        self.assertEqual(["INSERT sample_mark", "INSERT step", *SUSPENSION], seen)

        seen = self.attempt(receives.start())
        self.assertEqual([*SUSPENSION[:2], "SELECT message", *SUSPENSION[2:]], seen)

    def test_that_ends_is_one_transaction(self):
        """The history is one query, as in every later attempt; then the lock, the look, the answer."""
        handle = waiting(receives)
        durable.send(handle.id, 1)

        seen = self.attempt(handle)

        answer = ["BEGIN", "SELECT workflow", "SELECT message", "UPDATE step", "UPDATE message", "COMMIT"]
        self.assertEqual(["SELECT step", *answer, *OUTCOME], seen)

    def test_whose_time_is_over_asks_the_database_for_it(self):
        """One SELECT more."""
        handle = waiting(receives)
        with travel(seconds=61):
            Workflow.objects.promote()
            seen = self.attempt(handle)

        answer = ["BEGIN", "SELECT workflow", "SELECT message", "SELECT step", "UPDATE step", "COMMIT"]
        self.assertEqual(["SELECT step", *answer, *OUTCOME], seen)

    def test_that_is_answered_at_once_is_as_cheap_as_an_atomic_step(self):
        """The row is inserted with its answer."""
        handle = receives.start()
        durable.send(handle.id, 1)

        seen = self.attempt(handle)

        answer = ["BEGIN", "SELECT workflow", "SELECT message", "INSERT step", "UPDATE message", "COMMIT"]
        self.assertEqual([*answer, *OUTCOME], seen)

    def test_for_an_event_that_is_there_takes_no_lock(self):
        """Two looks and the record."""
        publisher = waiting(publishes_when_told, "a", 1)
        durable.send(publisher.id, None)
        run_until_idle()

        seen = self.attempt(awaits_event.start(publisher.id, "a"))

        self.assertEqual(["SELECT workflow", "SELECT event", "INSERT step", *OUTCOME], seen)

    def test_for_an_event_that_is_not_there_watches_the_other_workflow(self):
        """A first look without a lock, the second one under both."""
        publisher = waiting(publishes_when_told, "a", 1)
        looks = ["SELECT workflow", "SELECT event"]

        seen = self.attempt(awaits_event.start(publisher.id, "a"))

        locked = ["BEGIN", "SELECT workflow", *looks, "INSERT step", "UPDATE workflow", "UPDATE workflow", "COMMIT"]
        self.assertEqual([*looks, *locked], seen)

    def test_is_no_dearer_beside_others(self):
        """Neither for who waits nor for who sends."""
        receives.start_many(("", None) for _ in range(100))
        run_until_idle()
        handle = receives.start()

        self.assertEqual(6, len(self.attempt(handle)))
        self.assertEqual(5, len(self.cost(lambda: durable.send(handle.id, 1))))


class ASend(CostTestCase):
    def test_to_one_that_does_not_wait_is_a_lock_and_an_insert(self):
        """In one transaction."""
        handle = receives.start()

        self.assertEqual(
            ["BEGIN", "SELECT workflow", "INSERT message", "COMMIT"], self.cost(lambda: durable.send(handle.id, 1))
        )

    def test_to_one_that_waits_for_it_wakes_it(self):
        """For others it is as cheap as before."""
        handle = waiting(receives, "a")

        other = self.cost(lambda: durable.send(handle.id, 1, "b"))
        seen = self.cost(lambda: durable.send(handle.id, 1, "a", "key"))

        self.assertEqual(["BEGIN", "SELECT workflow", "INSERT message", "COMMIT"], other)
        self.assertEqual(["BEGIN", "SELECT workflow", "INSERT message", "UPDATE workflow", "COMMIT"], seen)

    def test_of_many_locks_and_wakes_all_at_once(self):
        """One INSERT for each."""
        handles = [waiting(receives) for _ in range(10)]

        seen = self.cost(lambda: durable.send_many(Message(handle.id, 1) for handle in handles))

        self.assertEqual(["BEGIN", "SELECT workflow", *["INSERT message"] * 10, "UPDATE workflow", "COMMIT"], seen)

    def test_in_a_transaction_is_in_a_savepoint(self):
        """An error leaves the transaction usable."""
        handle = receives.start()
        with transaction.atomic():
            seen = self.cost(lambda: durable.send(handle.id, 1))

        self.assertEqual(["SAVEPOINT", "SELECT workflow", "INSERT message", "RELEASE"], seen)

    def test_from_a_workflow_is_an_atomic_step(self):
        """With the record in its transaction."""
        handle = receives.start()

        seen = self.acting(lambda: durable.send(handle.id, 1))

        body = ["SELECT workflow", "INSERT message"]
        self.assertEqual(["BEGIN", *body, "INSERT step", "COMMIT"], seen)

    @override_settings(DURABLE_DJANGO={"NOTIFY": True})
    def test_rings_behind_the_commit(self):
        """On PostgreSQL at most once, and only if somebody was woken."""
        handle = waiting(receives)

        seen = self.cost(lambda: durable.send(handle.id, 1))
        later = self.cost(lambda: durable.send(handle.id, 1))

        self.assertEqual("COMMIT", seen[4])
        self.assertLessEqual(len(seen), 6 if connection.vendor == "postgresql" else 5)
        self.assertEqual(4, len(later))


class APublication(CostTestCase):
    def test_of_an_event_is_an_atomic_step(self):
        """The lock of the own row, the value and its history; who watches is looked for only if somebody does."""
        seen = self.acting(lambda: durable.set_event("a", 1))

        body = ["SELECT workflow", "INSERT event", "INSERT eventchange"]
        self.assertEqual(["BEGIN", *body, "INSERT step", "COMMIT"], seen)

    def test_of_an_event_that_is_awaited_wakes_those_that_wait(self):
        """One look and one change, however many they are."""
        publisher = waiting(publishes_when_told, "a", 1)
        for _ in range(5):
            waiting(awaits_event, publisher.id, "a")
        durable.send(publisher.id, None)

        seen = self.attempt(publisher)

        self.assertEqual(WAKE, seen[seen.index("INSERT eventchange") + 1 :][:2])
        self.assertEqual(5, Workflow.objects.queued().count())

    def test_of_an_event_that_many_wait_for_wakes_them_in_portions(self):
        """A database takes only so many parameters in one statement."""
        handle = waiting(publishes_when_told, "a", 1)
        waiters = [waiting(awaits_event, handle.id, "a", None) for _number in range(5)]
        durable.send(handle.id, None)
        with mock.patch.object(workflow_queryset, "WOKEN_AT_ONCE", 2):
            cost = self.attempt(handle)
        run_until_idle()

        self.assertEqual(
            ["SELECT workflow", *["UPDATE workflow"] * 3], cost[cost.index("INSERT eventchange") + 1 :][:4]
        )
        self.assertEqual({1}, {each.result() for each in waiters})

    def test_of_entries_costs_little_more_for_many(self):
        """One INSERT for all."""
        counts = []
        for count in (1, 100):
            seen = self.acting(lambda count=count: durable.write_stream("k", *range(count)))
            counts.append(len(seen))

        self.assertEqual(6, counts[0])
        # Django makes an INSERT of so many rows as the database takes parameters for: on SQLite, with 5.2, of 142.
        self.assertEqual(6, counts[1])


class ACancel(CostTestCase):
    def cancelled(self, count):
        """Return how many statements it takes to cancel so many that others wait for, and how many are awake then."""
        ids = ended(2 * count, status="waiting", is_watched=True, waiting_for="time")
        awaiting, watched = ids[:count], ids[count:]
        Workflow.objects.update(finished_at=None)
        for waiter, other in zip(awaiting, watched, strict=True):
            Workflow.objects.filter(pk=waiter).update(waiting_for=f"child:{other}")
        with statements() as seen:
            Workflow.objects.filter(pk__in=watched).cancel()
        return len(seen), Workflow.objects.filter(pk__in=awaiting, status="queued").count()

    def test_of_many_that_are_watched_wakes_a_hundred_at_once(self):
        """Of each hundred it looks twice for who waits, under the locks that it took for all of them."""
        one, many = self.cancelled(1), self.cancelled(300)

        self.assertEqual((1, 300), (one[1], many[1]))
        self.assertEqual(2 * 4, many[0] - one[0])


class ALook(CostTestCase):
    def test_for_an_event_is_two_statements(self):
        """From outside, each time."""
        publisher = waiting(publishes_when_told, "a", 1)

        seen = self.cost(lambda: durable.get_event(publisher.id, "a", timeout=0, default=None))

        self.assertEqual(["SELECT workflow", "SELECT event"], seen)

    def test_for_all_events_is_one(self):
        """Two if there are none."""
        publisher = waiting(publishes_when_told, "a", 1)
        none = self.cost(lambda: durable.get_events(publisher.id))
        durable.send(publisher.id, None)
        run_until_idle()
        some = self.cost(lambda: durable.get_events(publisher.id))

        self.assertEqual((["SELECT event", "SELECT workflow"], ["SELECT event"]), (none, some))

    def test_for_entries_is_two_statements_a_batch(self):
        """And a last one that finds the end."""
        handle = waiting(talking.streams, "k", *range(3))

        seen = self.cost(lambda: list(durable.read_stream(handle.id, "k")))

        self.assertEqual(["SELECT workflow", "SELECT streamentry"] * 2, seen)
