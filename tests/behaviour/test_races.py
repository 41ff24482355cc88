"""Races between those who wait and those who bring, in a short form; `make stress` runs the long one."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import connection, connections
from django.test import TransactionTestCase

import durable_django as durable
from durable_django.testing import run_until_idle
from tests.behaviour.support import mailbox
from tests.sample.talking import receives_many
from tests.stress import races

#: Of each kind; pauses in a transaction hold up everybody on SQLite.
PAIRS = 20 if connection.vendor == "postgresql" else 6
TIMEOUTS = 60
SENDERS, EACH = 6, 15


class ManySenders(TransactionTestCase):
    def test_keep_each_their_order(self):
        """E8: to one workflow, at the same moment, on two topics; nothing is lost and nothing doubled."""
        topics = {topic: receives_many.start(SENDERS * EACH, topic) for topic in "ab"}

        def send(sender):
            for number in range(EACH):
                for topic, handle in topics.items():
                    durable.send(handle.id, [sender, number], topic)

        in_threads(*(partial(send, sender) for sender in range(SENDERS)))
        run_until_idle()

        for handle in topics.values():
            received = handle.result()
            for sender in range(SENDERS):
                self.assertEqual(list(range(EACH)), [number for from_, number in received if from_ == sender])
            self.assertEqual(SENDERS * EACH, len(received))

    def test_with_one_key_are_one(self):
        """E11: whoever is first."""
        handle = receives_many.start(2)

        in_threads(*(partial(durable.send, handle.id, sender, idempotency_key="k") for sender in range(SENDERS)))

        self.assertEqual(1, len(mailbox(handle)))


def in_threads(*acts):
    """Do each in a thread of its own, all at the same time. Raise what one of them raised."""
    barrier = threading.Barrier(len(acts))

    def run(act):
        barrier.wait(30)
        try:
            act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        list(pool.map(run, acts))


class ACancellation(TransactionTestCase):
    def test_that_races_the_end_leaves_one_outcome(self):
        """F1: succeeded or cancelled, told as what it is, and never changed afterwards."""
        report = races.endings(TIMEOUTS, random.randrange(10**6), longest_pause=0.002)

        self.assertFalse(report["is_wrong"], report)


class WhoWaits(TransactionTestCase):
    def test_loses_no_wake_up(self):
        """E1: pauses before every statement of both sides; nobody sleeps beside what he waits for."""
        report = races.lost_wake_ups(PAIRS, random.randrange(10**6), longest_pause=0.010)

        self.assertEqual(
            {kind.__name__: [] for kind in races.WAKE_UPS}, {kind: each["lost"] for kind, each in report.items()}
        )
        self.assertGreater(sum(each["suspended"] for each in report.values()), 0)

    def test_gets_each_message_once_whatever_the_time(self):
        """E5: a timeout races a message; whichever is first, exactly one receive gets it."""
        report = races.timeouts(TIMEOUTS, random.randrange(10**6), longest_pause=0.002)

        self.assertFalse(report["is_wrong"], report)
