"""
Django's test runner, counting, and with stricter ears.

What Python only mentions on stderr fails the suite here: an exception in a thread, and one that nobody could catch
because it was raised while an object was destroyed (so ResourceWarnings, which are errors in this suite).

DURABLE_TEST_COUNTS   file for the counts, as JSON: passed, failed, skipped
DURABLE_TEST_SECONDS  after so many seconds every thread shows where it hangs, and the process ends
"""

import contextlib
import faulthandler
import gc
import json
import os
import sys
import threading
import time
import traceback
import unittest
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection
from django.test.runner import DiscoverRunner

from tests import flushing

#: So many of the slowest tests are named at the end.
_SLOWEST = 20


class CountingResult(unittest.TextTestResult):
    """Remembers the test that is running, and how many passed."""

    passed = 0
    running = "before the first test"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seconds: Counter[str] = Counter()
        # Python 3.12.1 stops tests that it skips without having started them, perhaps the first of all.
        self._started = time.monotonic()

    def startTest(self, test):
        self.running = test.id()
        self._started = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        now = time.monotonic()
        self.seconds[test.id()] += now - self._started
        self._started = now
        super().stopTest(test)

    def addSuccess(self, test):
        self.passed += 1
        super().addSuccess(test)

    def addExpectedFailure(self, test, err):
        self.passed += 1
        super().addExpectedFailure(test, err)


class SuiteRunner(DiscoverRunner):
    """Runs in one process: tests start workers and restart servers, which parallel siblings would notice."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parallel": 0})
        self.unheard: list[str] = []
        self.result: CountingResult | None = None

    def get_resultclass(self):
        chosen = super().get_resultclass()
        return type("Result", (CountingResult, chosen), {}) if chosen else CountingResult

    def setup_databases(self, **options: Any):
        names = super().setup_databases(**options)
        # Workers that tests start read this: they open the test database, not the one it was made from.
        os.environ["DURABLE_TEST_DATABASE_NAME"] = str(connection.settings_dict["NAME"])
        if connection.vendor == "postgresql":
            flushing.delete_instead_of_truncate(connection)
        return names

    def teardown_databases(self, old_config, **options: Any):
        os.environ.pop("DURABLE_TEST_DATABASE_NAME", None)
        if old_config:
            self._close_left_over_sessions()
        super().teardown_databases(old_config, **options)

    def run_suite(self, suite, **options: Any):
        with self._limit_time(), self._listen():
            return super().run_suite(suite, **options)

    def get_test_runner_kwargs(self):
        """Make the result here, so that it is known while tests run."""
        options = super().get_test_runner_kwargs()
        kind = options["resultclass"]

        def remember(*arguments: Any, **named: Any) -> CountingResult:
            self.result = kind(*arguments, **named)
            return self.result

        return {**options, "resultclass": remember}

    def suite_result(self, suite, result, **options: Any):  # noqa: ARG002 (Django's signature)
        for sentence in self.unheard:
            self.log(sentence)
        for name, seconds in result.seconds.most_common(_SLOWEST):
            self.log(f"SLOW {seconds:.1f} s: {name}")
        for reason, times in Counter(reason for _, reason in result.skipped).items():
            self.log(f"SKIPPED {times}: {reason}")
        failed = {_identity(test) for test, _ in result.failures + result.errors}
        failed_count = len(failed) + len(result.unexpectedSuccesses) + len(self.unheard)
        skipped = {_identity(test) for test, _ in result.skipped} - failed
        if path := os.environ.get("DURABLE_TEST_COUNTS"):
            counts = {"passed": result.passed, "failed": failed_count, "skipped": len(skipped)}
            Path(path).write_text(json.dumps(counts))
        return failed_count

    @contextlib.contextmanager
    def _listen(self) -> Iterator[None]:
        """Turn what would only be printed into failures."""
        hooks = sys.unraisablehook, threading.excepthook
        sys.unraisablehook = lambda event: self._hear("was never caught", event.exc_value, event.object)
        threading.excepthook = lambda event: self._hear("ended a thread", event.exc_value, event.thread)
        try:
            yield
            gc.collect()
        finally:
            sys.unraisablehook, threading.excepthook = hooks

    def _hear(self, what: str, error: BaseException | None, source: object) -> None:
        where = self.result.running if self.result else CountingResult.running
        trace = "".join(traceback.format_exception(error)) if error else ""
        self.unheard.append(f"FAILED {where}, or one before it: {type(error).__name__} {what} ({source!r})\n{trace}")

    @contextlib.contextmanager
    def _limit_time(self) -> Iterator[None]:
        if seconds := float(os.environ.get("DURABLE_TEST_SECONDS", "0")):
            # Not sys.stderr: a test may have replaced it by something without a file descriptor.
            faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _close_left_over_sessions(self) -> None:
        """End the sessions that tests forgot: PostgreSQL drops no database that is in use."""
        if connection.vendor != "postgresql":
            return
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            (count,) = cursor.fetchone()
        # Django closes the wrapper that it knows from the beginning; a test may have made the engine drop that one.
        connection.close()
        if count:
            self.log(f"Tests left {count} database sessions open. Close connections in the thread that opened them.")


def _identity(test: Any) -> str:
    """Name the test itself for its subtests too: however many fail, one test failed."""
    return getattr(test, "test_case", test).id()
