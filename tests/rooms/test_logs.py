"""base/logs.py: every signal becomes a record, with facts and without payloads, and no record harms anybody."""

import io
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest import mock

from django.test import SimpleTestCase, TestCase

from durable_django import signals
from durable_django.base import clock, logs
from durable_django.testing import crash_before, run_until_idle
from tests.behaviour.support import acting
from tests.rooms.test_signals import documented
from tests.sample.promises import acts, echoes, fails
from tests.sample.workflows import mark, two_marks

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = {
    "workflow_id": "order\n7", "name": "shop.checkout", "queue": "default", "attempt": 2, "error": ValueError("a\nb"),
    "delay_seconds": 1.5, "reason": "a\nreason", "count": 3, "exhausted": 1, "step": "charge\n", "position": 4,
    "schedule": "every\nday", "workflow_ids": ("a\nb",), "first": MOMENT, "last": MOMENT,
    "what": "claim", "worker_id": "w", "queues": ("default",), "threads": 8, "hostname": "host", "pid": 7,
    "interrupt": "Suspended", "actor": "a\nperson", "verb": "cancel", "object_kind": "workflow",
    "object_ids": ("a\nb",),
}  # fmt: skip


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


class EveryReceiver(SimpleTestCase):
    def setUp(self):
        logs._away_logged_at = -logs._AWAY_SECONDS

    def records(self, name, **changes):
        """Call the receiver of a signal with the facts that are documented for it; return the records."""
        receiver = logs._RECEIVERS[getattr(signals, name)]
        facts = {key: {**FACTS, **changes}[key] for key in documented()[name]}
        with self.assertLogs("durable_django", logging.DEBUG) as caught:
            receiver(signal=getattr(signals, name), sender=None, **facts)
        return caught.records

    def names(self):
        known = {id(signal): name for name, signal in vars(signals).items() if name in documented()}
        return [known[id(signal)] for signal in logs._RECEIVERS]

    def test_words_one_record(self):
        """In one line, whatever ids, reasons and errors hold; S14."""
        for name in self.names():
            with self.subTest(signal=name):
                (record,) = self.records(name)

                self.assertTrue(record.getMessage().isprintable(), record.getMessage())

    def test_carries_the_facts(self):
        """As attributes of the record; the name of the workflow is `workflow`."""
        (record,) = self.records("workflow_succeeded")

        self.assertEqual(("order\n7", "shop.checkout", 2), (record.workflow_id, record.workflow, record.attempt))
        self.assertEqual("durable_django.workflow", record.name)

    def test_survives_an_error_that_cannot_be_worded(self):
        """Then its class is all that is said."""
        for name in self.names():
            if "error" in documented()[name]:
                with self.subTest(signal=name):
                    (record,) = self.records(name, error=Unprintable())
                    self.assertIn("Unprintable", record.getMessage())

    def test_uses_five_loggers(self):
        """One for workflows, one for steps, one for schedules, one for workers, one for what operators do."""
        for name in self.names():
            (record,) = self.records(name)
            with self.subTest(signal=name):
                kinds = ("workflow", "step", "schedule", "worker", "operation")
                self.assertIn(record.name, {f"durable_django.{each}" for each in kinds})

    def test_warns_of_what_may_need_a_person(self):
        """INFO for start and end, WARNING for repair, ERROR with a traceback."""
        for name, level in (
            ("workflow_succeeded", "INFO"),
            ("workflow_paused", "WARNING"),
            ("workflow_retrying", "WARNING"),
            ("workflows_recovered", "WARNING"),
            ("worker_lost", "WARNING"),
            ("operation_refused", "WARNING"),
            ("workflow_failed", "ERROR"),
            ("worker_failed", "ERROR"),
        ):
            (record,) = self.records(name)
            with self.subTest(signal=name):
                self.assertEqual((level, level == "ERROR"), (record.levelname, bool(record.exc_info)))


class AnAbsentDatabase(SimpleTestCase):
    def test_is_logged_once_in_five_seconds(self):
        """However many threads try; the next record tells how often they did."""
        moments = iter([100.0, 100.1, 103.0, 106.0])
        logs._away_logged_at, logs._away_skipped = -logs._AWAY_SECONDS, 0
        with (
            mock.patch.object(clock, "elapsed_seconds", lambda: next(moments)),
            self.assertLogs("durable_django") as seen,
        ):
            for _ in range(4):
                logs._database_away(what="claim", error=OSError("x"), delay_seconds=0.1)

        self.assertEqual(2, len(seen.records))
        self.assertIn("3 such tries", seen.records[1].getMessage())


class TheRecordsOfARun(TestCase):
    def test_hold_no_payload(self):
        """Arguments, results and attributes are never logged; J9."""
        canary = "hunter2-canary"
        with self.assertLogs("durable_django", logging.DEBUG) as seen:
            echoes.using(attributes={"secret": canary}).start({"password": canary})
            with acting(lambda: canary):
                acts.start()
                run_until_idle()
            two_marks.start(canary)
            with crash_before(mark):
                run_until_idle()
            run_until_idle()

        self.assertGreater(len(seen.records), 3)
        self.assertNotIn(canary, "\n".join(seen.output))
        self.assertNotIn(canary, str([record.__dict__ for record in seen.records]))

    def test_of_a_failure_hold_its_traceback(self):
        """The frames of the user's code, for whoever has to repair it."""
        with self.assertLogs("durable_django.workflow", logging.ERROR) as seen:
            fails.start(LookupError("no such order"))
            run_until_idle()

        self.assertIn("LookupError: no such order", seen.output[0])
        self.assertIn("in fail", seen.output[0])


@contextmanager
def unconfigured(handlers):
    """Let nobody have configured any logger but that of durable_django, which has these handlers."""
    logger = logging.getLogger("durable_django")
    level = logger.level
    with mock.patch.object(logger, "handlers", handlers), mock.patch.object(logging.root, "handlers", []):
        try:
            logger.setLevel(logging.NOTSET)
            yield logger
        finally:
            logger.setLevel(level)


class OnATerminal(SimpleTestCase):
    def test_records_are_shown_unless_the_project_shows_them(self):
        """A handler of the project's own, or --verbosity 0, wins."""
        for handlers, is_quiet, shown in (([], False, 1), ([logging.NullHandler()], False, 0), ([], True, 0)):
            with self.subTest(handlers=handlers, is_quiet=is_quiet), unconfigured(handlers) as logger:
                before = len(handlers)
                logs.show_on_terminal(is_quiet=is_quiet)
                self.assertEqual(shown, len(logger.handlers) - before)

    def test_a_child_process_may_ask_again(self):
        """There is one handler, and each record is shown once, from INFO on, with its time."""
        with unconfigured([]) as logger, mock.patch("sys.stderr", io.StringIO()) as terminal:
            logs.show_on_terminal()
            logs.show_on_terminal()
            logger.getChild("worker").debug("idle")
            logger.getChild("worker").info("begins")

        self.assertRegex(terminal.getvalue(), r"\A[-\d]+ [\d:,]+ INFO begins\n\Z")

    def test_records_of_others_are_not_touched(self):
        """The root keeps its handlers and its level, and so does a level that the project has chosen."""
        with unconfigured([]) as logger:
            logger.setLevel(logging.ERROR)
            before = logging.root.level
            logs.show_on_terminal()

            self.assertEqual(([], before), (logging.root.handlers, logging.root.level))
            self.assertEqual(logging.ERROR, logger.level)

    def test_receivers_are_connected_once(self):
        """connect() may be called again."""
        before = len(signals.workflow_failed.receivers)
        logs.connect()

        self.assertEqual(before, len(signals.workflow_failed.receivers))
