"""
Faults: a process hurts itself at a chosen statement, as no signal from outside could time it.

DURABLE_TEST_FAULT  JSON: {"at": <pattern of the SQL, or COMMIT>, "when": "before" or "after", "action": <see ACTIONS>,
                    "once": <flag>}; only the first process that gets there is hurt
DURABLE_TEST_CLOCK  seconds by which the wall clock of this process is wrong
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.backends.signals import connection_created
from django.utils import timezone

from tests.sample import flags


def install() -> None:
    """Watch every connection of this process if a fault is asked for; put its clock wrong."""
    if "DURABLE_TEST_CLOCK" in os.environ:
        _put_clock_wrong(float(os.environ["DURABLE_TEST_CLOCK"]))
    asked = os.environ.get("DURABLE_TEST_FAULT")
    if asked:
        fault = Fault(**json.loads(asked))
        connection_created.connect(fault.watch, weak=False, dispatch_uid="durable-test-fault")


def _put_clock_wrong(seconds: float) -> None:
    right = {"time": time.time, "time_ns": time.time_ns, "now": timezone.now}
    time.time = lambda: right["time"]() + seconds
    time.time_ns = lambda: right["time_ns"]() + int(seconds * 1e9)
    timezone.now = lambda: right["now"]() + timedelta(seconds=seconds)


class Fault:
    """One fault, which happens once."""

    def __init__(self, at: str, when: str, action: str, once: str = "fault") -> None:
        self.at = at
        self.pattern = re.compile(at)
        self.when = when
        self.act: Callable[[Any], None] = ACTIONS[action]
        self.once = once

    def watch(self, connection: Any, **_facts: Any) -> None:
        if self.at == "COMMIT":
            self._watch_commit(connection)
        elif self._around not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._around)

    def _watch_commit(self, connection: Any) -> None:
        commit = type(connection).commit

        def watched() -> None:
            self._strike(connection, "before")
            commit(connection)
            self._strike(connection, "after")

        # Only transactions that write a step are of interest: heartbeats and claims commit all the time.
        def around(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            if 'INSERT INTO "durable_django_step"' in str(sql) and connection.in_atomic_block:
                connection.commit = watched
            return execute(sql, params, many, context)

        connection.execute_wrappers.append(around)

    def _around(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if not self.pattern.search(str(sql)):
            return execute(sql, params, many, context)
        self._strike(context["connection"], "before")
        answer = execute(sql, params, many, context)
        self._strike(context["connection"], "after")
        return answer

    def _strike(self, connection: Any, when: str) -> None:
        if when == self.when and flags.raise_once(self.once):
            self.act(connection)


def _kill(_connection: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(_connection: Any) -> None:
    # To this thread: after a kill() of the process it might run on until another thread has seen the signal.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


ACTIONS = {"kill": _kill, "stop": _stop}
