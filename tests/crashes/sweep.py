"""
The boundary sweep: kill a run at every statement and COMMIT, recover, and compare with an undisturbed run.

    python -m tests.crashes.sweep napping              every boundary once
    python -m tests.crashes.sweep napping --reads      also those that only a read lies between
    python -m tests.crashes.sweep napping --pairs 50   besides, so many pairs: a crash, and one in the recovery
    python -m tests.crashes.sweep napping --every 3    only every third boundary, from one of the first three on

A boundary lies before a statement, COMMIT or ROLLBACK, which is also behind the one before it. To die before a read or
behind it leaves the same in the database; so one boundary stands for both, unless all are asked for. Each run is a
process of its own, forked from this one, which therefore keeps no connection; the kill is a real SIGKILL. What is wrong
is printed as JSON, with the number of boundaries.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import logging
import mmap
import os
import random
import re
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import django
from django.db import connections

django.setup()

from durable_django.base import payloads  # noqa: E402
from durable_django.models import (  # noqa: E402
    Event,
    EventChange,
    Message,
    Step,
    StreamEntry,
    Worker,
    Workflow,
)
from durable_django.testing import run_until_idle, travel  # noqa: E402
from tests.sample import bounded  # noqa: E402
from tests.sample.models import Mark  # noqa: E402

TABLES = [model._meta.db_table for model in (Step, Message, Event, EventChange, StreamEntry, Workflow, Worker, Mark)]
#: Moments (seconds from now) at which the work is run until idle; the last ones outlast every delay of a recovery.
MOMENTS = (0, 11, 22, 33, 400, 4000)
CHANGES_NOTHING = re.compile(r"\s*(SELECT|BEGIN|SAVEPOINT|RELEASE)\b")
#: What begins each: the start of the workflow that is looked at; others may follow it.
SCENARIOS: dict[str, Callable[[], object]] = {
    definition.__name__: definition.start
    for definition in (
        bounded.plain_and_atomic,
        bounded.suspended,
        bounded.napping,
        bounded.compensated,
        bounded.retried_as_a_whole,
        bounded.cancelled_at_its_deadline,
        bounded.timed_out,
        bounded.asleep,
    )
} | {
    begin.__name__: begin
    for begin in (
        bounded.conversing,
        bounded.publishing,
        bounded.growing,
        bounded.branching,
        bounded.branching_in_loop,
        bounded.fanning_out,
    )
}


@dataclass(frozen=True)
class Death:
    """Where a run was killed: at which moment."""

    moment: int


class Boundaries:
    """
    Counts what a process says to the database, and kills it before it says a certain thing.

    fatal  the number of that thing, from 1; None to let the process live
    reads  count also what changes nothing
    """

    def __init__(self, fatal: int | None, *, reads: bool) -> None:
        self.fatal = fatal
        self.reads = reads
        self.count = 0

    def watch(self, connection: Any) -> None:
        connection.execute_wrappers.append(self._around)
        for name in ("_commit", "_rollback"):
            setattr(connection, name, self._counted(getattr(connection, name)))

    def _around(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if self.reads or not CHANGES_NOTHING.match(sql):
            self._pass()
        return execute(sql, params, many, context)

    def _counted(self, act: Callable[[], Any]) -> Callable[[], Any]:
        def counted() -> Any:
            self._pass()
            return act()

        return counted

    def _pass(self) -> None:
        self.count += 1
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)


class Sweep:
    """The runs of one scenario."""

    def __init__(self, name: str, *, reads: bool) -> None:
        self.begin = SCENARIOS[name]
        self.reads = reads
        self._shared = mmap.mmap(-1, 1)

    def undisturbed(self) -> dict[str, Any]:
        """
        Return the state that a run without a crash ends in.

        It runs here, so that every child inherits the compiled statements.
        """
        self._begin()
        self._run_on(None)
        found = state()
        connections.close_all()
        del connections["default"]
        gc.freeze()
        return found

    def disturbed(self, *fatal: int) -> tuple[dict[str, Any], int]:
        """Crash at boundary fatal[0], in the recovery at fatal[1] ... Return the final state, and the crashes."""
        deaths = 0
        death = self._killed(lambda: self._begin() or self._run_on(fatal[0]))
        for boundary in fatal[1:]:
            if death is None:
                break
            deaths += 1
            death = self._killed(lambda death=death, boundary=boundary: self._recover(death, boundary))
        if death is not None:
            deaths += 1
            return self._in_child(lambda: self._recover(death, None) or state()), deaths
        return self._in_child(state), deaths

    def _begin(self) -> None:
        """Start the workflows in empty tables."""
        with connections["default"].cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"DELETE FROM {table}")
        self.begin()

    def _recover(self, death: Death, fatal: int | None) -> None:
        """Do what a supervisor does, then go on from the moment of the death."""
        with travel(seconds=MOMENTS[death.moment]):
            Worker.objects.all().expire()
        self._run_on(fatal, death.moment)

    def _run_on(self, fatal: int | None, first: int = 0) -> None:
        boundaries = Boundaries(fatal, reads=self.reads)
        boundaries.watch(connections["default"])
        for moment in range(first, len(MOMENTS)):
            self._shared[0] = moment
            with travel(seconds=MOMENTS[moment]):
                run_until_idle()
                if not Workflow.objects.filter(finished_at__isnull=True).exists():
                    return

    def _killed(self, act: Callable[[], Any]) -> Death | None:
        """Run it in a child. Return where it was killed, or None if it came to its end."""
        pid = fork(act, None)
        _pid, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            return Death(self._shared[0])
        if status:
            raise RuntimeError("A run has failed; see above.")
        return None

    def _in_child(self, act: Callable[[], Any]) -> Any:
        reader, writer = os.pipe()
        pid = fork(act, writer)
        os.close(writer)
        with os.fdopen(reader) as file:
            answer = file.read()
        _pid, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError("A run has failed; see above.")
        return json.loads(answer)


def fork(act: Callable[[], Any], writer: int | None) -> int:
    """Do it in a child, which writes the answer to a pipe. Return the child's process number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        answer = act()
        if writer is not None:
            os.write(writer, json.dumps(answer).encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        connections.close_all()
        sys.stderr.flush()
        os._exit(code)


def state() -> dict[str, Any]:
    """Return what must be equal after every crash."""
    first, *others = Workflow.objects.order_by("line")
    others.sort(key=lambda row: row.pk)
    return {
        "workflow": outcome(first),
        "steps": history(first),
        "others": [[outcome(other), history(other)] for other in others],
        "marks": Counter(Mark.objects.values_list("label", flat=True)),
        "messages": rows(Message, "value", "received_position"),
        "events": rows(Event, "key", "value"),
        "changes": rows(EventChange, "key", "value", "position"),
        "entries": rows(StreamEntry, "key", "offset", "value", "position"),
    }


def outcome(row: Workflow) -> list[Any]:
    return [row.status, row.output, described(row.error), row.reason, row.failures, row.worker]


def history(row: Workflow) -> list[Any]:
    return [
        [step.place, step.name, step.output, described(step.error), step.retries]
        for step in Step.objects.filter(workflow=row).order_by("branch", "position")
    ]


def rows(model: Any, *columns: str) -> list[Any]:
    return list(map(list, model.objects.order_by("id").values_list(*columns)))


def described(error: str | None) -> list[str]:
    if error is None:
        return []
    found = payloads.describe_error(error)
    return [found.type, found.message]


def differences(expected: dict[str, Any], found: dict[str, Any], crashes: int) -> list[str]:
    """Say what is not as it should be: marks of plain steps may be made once more by each crash."""
    wrong = [f"{part}: {found[part]}" for part in expected if part != "marks" and found[part] != expected[part]]
    for label in sorted({*expected["marks"], *found["marks"]}):
        wanted, made = expected["marks"].get(label, 0), found["marks"].get(label, 0)
        spare = crashes if label.startswith("p") else 0
        if not wanted <= made <= wanted + spare:
            wrong.append(f"{label} was made {made} times instead of {wanted}")
    return wrong


def sweep(name: str, *, reads: bool, pairs: int, every: int, seed: int) -> dict[str, Any]:
    """Crash at every boundary, and at some pairs of them. Return the counts and what was wrong."""
    runs = Sweep(name, reads=reads)
    expected = runs.undisturbed()
    wrong: dict[str, list[str]] = {}
    boundaries = 0

    def look(*fatal: int) -> int:
        found, crashes = runs.disturbed(*fatal)
        if problems := differences(expected, found, crashes):
            wrong[", then ".join(map(str, fatal))] = problems
        return crashes

    chance = random.Random(seed)
    for boundary in itertools.count(chance.randint(1, every), every):
        if not look(boundary):
            break
        boundaries = boundary
    for _pair in range(pairs):
        look(chance.randint(1, boundaries), chance.randint(1, boundaries))
    return {"scenario": name, "expected": expected, "boundaries": boundaries, "pairs": pairs, "wrong": wrong}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.crashes.sweep")
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--reads", action="store_true")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    # Every crash would be reported.
    logging.disable()
    found = sweep(options.scenario, reads=options.reads, pairs=options.pairs, every=options.every, seed=options.seed)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
