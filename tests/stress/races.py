"""
Races between those who wait and those who bring: `python -m tests.stress.races --pairs 500`.

Each pair is two threads with a connection of their own, which begin at about the same moment and pause, up to 20 ms,
before every statement and every COMMIT. When both are done, whoever has waited must have got what was brought: a
workflow that still sleeps beside it has lost its wake-up. What is wrong is printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from django.core.management import call_command
from django.db import connection, connections

import durable_django as durable
from durable_django import signals
from durable_django.base import registry
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models import Message, Worker, Workflow
from durable_django.testing import run_until_idle, travel
from tests.sample import branching, talking

WORKER = "races"
#: Pairs that run at the same time, so that they meet others, too.
AT_ONCE = 6
LONGEST_PAUSE_SECONDS = 0.020
TIMEOUT_SECONDS = 60
MOST_STATEMENTS = 10


@dataclass(frozen=True)
class Race:
    """
    One pair.

    waiter    the workflow that must have ended when all is quiet
    sides     what the two threads do
    """

    waiter: Any
    sides: tuple[Callable[[], object], Callable[[], object]]


def attempt(handle: Any) -> Callable[[], None]:
    """Return what claims a workflow and runs one attempt of it, as a thread of a worker does."""

    def run() -> None:
        for workflow in Workflow.objects.claim_one(handle.id, WORKER):
            attempts.attempt(workflow, Ownership(WORKER), "default")

    return run


def message() -> Race:
    """A receive, and a message."""
    waiter = talking.receives.start("", None)
    return Race(waiter, (attempt(waiter), lambda: durable.send(waiter.id, 1)))


def message_in_a_branch() -> Race:
    """A receive beside another one, which has its message, and a message."""
    waiter = talking.receives_in_branches.start("a", "b")
    durable.send(waiter.id, 1, "a")
    return Race(waiter, (attempt(waiter), lambda: durable.send(waiter.id, 2, "b")))


def event() -> Race:
    """A get_event, and the workflow that sets it."""
    publisher = talking.publishes.start("a", 1)
    waiter = talking.awaits_event.start(publisher.id, "a", None)
    return Race(waiter, (attempt(waiter), attempt(publisher)))


def missing_event() -> Race:
    """A get_event, and the end of the workflow without it."""
    other = talking.publishes.start("a")
    waiter = talking.awaits_event.start(other.id, "a", None)
    return Race(waiter, (attempt(waiter), attempt(other)))


def cancellation() -> Race:
    """A get_event, and a cancellation of the workflow that would have set it."""
    other = talking.publishes.using(delay=3600).start("a", 1)
    waiter = talking.awaits_event.start(other.id, "a", None)
    return Race(waiter, (attempt(waiter), lambda: other.refresh().workflow.cancel()))


def end() -> Race:
    """A result(), and the end of the other workflow."""
    other = talking.publishes.start("a", 1)
    waiter = talking.awaits_result.start(other.id)
    return Race(waiter, (attempt(waiter), attempt(other)))


def deletion() -> Race:
    """A result(), and somebody who cancels the other workflow and deletes its row."""
    other = talking.publishes.using(delay=3600).start("a", 1)
    waiter = branching.awaits_end_of.start(other.id)
    rows = Workflow.objects.filter(pk=other.id)
    return Race(waiter, (attempt(waiter), lambda: rows.cancel() and rows.delete()))


def end_of_a_child() -> Race:
    """A parent that calls a child, and the end of that."""
    waiter = branching.calls_a_child.start(4)
    return Race(waiter, (attempt(waiter), children_of(waiter, 1)))


def ends_in_branches() -> Race:
    """A parent that waits for several children in two branches, and their ends."""
    waiter = branching.gathers_first_and_child.start(2)
    return Race(waiter, (attempt(waiter), children_of(waiter, 3)))


def children_of(handle: Any, count: int) -> Callable[[], None]:
    """Return what runs so many children as soon as they have been started."""

    def run() -> None:
        left, end = count, time.monotonic() + TIMEOUT_SECONDS
        while left and time.monotonic() < end:
            for workflow in Workflow.objects.claim_descendant(handle.id, WORKER, names=registry.workflows.names()):
                left -= 1
                attempts.attempt(workflow, Ownership(WORKER), "default")

    return run


def timeout() -> Race:
    """A receive whose time is over, and a message; what it misses the next one gets."""
    waiter = talking.receives_at_last.start()
    return Race(waiter, (attempt(waiter), lambda: durable.send(waiter.id, 1)))


def completion() -> Race:
    """The end of a workflow, and its cancellation."""
    handle = talking.publishes.start("a", 1)
    return Race(handle, (attempt(handle), lambda: handle.refresh().workflow.cancel("by hand")))


WAKE_UPS = (
    message,
    message_in_a_branch,
    event,
    missing_event,
    cancellation,
    end,
    deletion,
    end_of_a_child,
    ends_in_branches,
)


def lost_wake_ups(pairs: int, seed: int, longest_pause: float = LONGEST_PAUSE_SECONDS) -> dict[str, Any]:
    """Run so many pairs of each kind. Return by kind how many waiters slept in the end, and how many did in between."""
    register()
    report: dict[str, Any] = {}
    for kind in WAKE_UPS:
        races = [kind() for _ in range(pairs)]
        run(races, seed, longest_pause)
        suspended = Workflow.objects.filter(pk__in=ids(races), attempt=1, finished_at__isnull=True).count()
        run_until_idle()
        lost = Workflow.objects.filter(pk__in=ids(races), finished_at__isnull=True)
        report[kind.__name__] = {
            "pairs": pairs,
            "suspended": suspended,
            "lost": list(lost.values_list("pk", flat=True)),
        }
    return report


def timeouts(pairs: int, seed: int, longest_pause: float = LONGEST_PAUSE_SECONDS) -> dict[str, Any]:
    """Let a timeout race a message so often. Return who got it how often, and what is wrong."""
    register()
    races = [timeout() for _ in range(pairs)]
    run_until_idle()
    with travel(seconds=TIMEOUT_SECONDS + 1):
        run(races, seed, longest_pause)
        run_until_idle()
    outcomes = Counter(str(race.waiter.result()) for race in races if race.waiter.refresh().workflow.is_finished)
    received = Message.objects.filter(workflow__in=ids(races), received_at__isnull=False).count()
    wrong = sum(outcomes.values()) != pairs or received != pairs or not outcomes.keys() <= {"[1]", "[None, 1]"}
    return {"pairs": pairs, "outcomes": dict(outcomes), "received": received, "is_wrong": wrong}


def endings(pairs: int, seed: int, longest_pause: float = LONGEST_PAUSE_SECONDS) -> dict[str, Any]:
    """Let a cancellation race the end so often. Return how they ended, and what is wrong."""
    register()
    seen: dict[str, list[str]] = {}

    def note(workflow_id: str, **_facts: object) -> None:
        seen.setdefault(workflow_id, []).append("succeeded")

    signals.workflow_succeeded.connect(note)
    races = [completion() for _ in range(pairs)]
    run(races, seed, longest_pause)
    signals.workflow_succeeded.disconnect(note)
    before = {race.waiter.id: race.waiter.refresh().status for race in races}
    run_until_idle()
    after = {race.waiter.id: race.waiter.refresh().status for race in races}
    told = {key for key, status in before.items() if status == "succeeded"}
    held = Workflow.objects.filter(pk__in=ids(races), worker__isnull=False).count()
    outcomes = Counter(before.values())
    is_wrong = before != after or told != set(seen) or held or not outcomes.keys() <= {"succeeded", "cancelled"}
    return {"pairs": pairs, "outcomes": dict(outcomes), "is_wrong": bool(is_wrong)}


def register() -> None:
    Worker.objects.filter(pk=WORKER).delete()
    Worker.objects.register(WORKER, 3600, hostname="test", pid=0)


def ids(races: Sequence[Race]) -> list[str]:
    return [race.waiter.id for race in races]


def run(races: Sequence[Race], seed: int, longest_pause: float) -> None:
    """Run the pairs, some at the same time."""
    chance = random.Random(seed)
    seeds = [chance.random() for _ in races]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda race, seed: run_one(race, seed, longest_pause), races, seeds))


def run_one(race: Race, seed: float, longest_pause: float) -> None:
    barrier = threading.Barrier(2)
    errors: list[BaseException] = []

    def side(number: int) -> None:
        pauses = Pauses(random.Random(seed + number), longest_pause)
        try:
            connection.ensure_connection()
            pauses.watch(connection)
            barrier.wait(60)
            # One side has fewer statements than the other; either shall come first often enough.
            time.sleep(pauses.chance.random() * longest_pause * MOST_STATEMENTS)
            race.sides[number]()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()
            del connections["default"]

    threads = [threading.Thread(target=side, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Pauses:
    """Pauses before whatever a connection says to the database."""

    def __init__(self, chance: random.Random, longest: float) -> None:
        self.chance = chance
        self.longest = longest

    def watch(self, found: Any) -> None:
        found.execute_wrappers.append(self._around)
        commit = found._commit
        found._commit = lambda: self._pause() or commit()

    def _around(self, execute: Any, *statement: Any) -> Any:
        self._pause()
        return execute(*statement)

    def _pause(self) -> None:
        time.sleep(self.chance.random() * self.longest)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stress.races", description=__doc__)
    parser.add_argument("--pairs", type=int, default=500, help="of each kind of wake-up (500)")
    parser.add_argument(
        "--timeouts", type=int, default=1000, help="that race a message, and ends that race a cancellation (1000)"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # Timeouts and events that do not come are failures of workflows, each of which would be reported.
    logging.disable()
    call_command("migrate", verbosity=0)
    report = {
        "wake_ups": lost_wake_ups(options.pairs, options.seed),
        "timeouts": timeouts(options.timeouts, options.seed, LONGEST_PAUSE_SECONDS / 4),
        "endings": endings(options.timeouts, options.seed, LONGEST_PAUSE_SECONDS / 4),
    }
    is_wrong = any(each["lost"] for each in report["wake_ups"].values())
    is_wrong = is_wrong or report["timeouts"]["is_wrong"] or report["endings"]["is_wrong"]
    print(json.dumps({**report, "is_wrong": is_wrong}))


if __name__ == "__main__":
    main()
