"""Random programs of every verb, disturbed at random, come to what they come to undisturbed."""

import random
from functools import partial
from unittest import mock

from django.db import transaction
from django.test import TestCase

import durable_django as durable
from durable_django import WorkflowHandle
from durable_django.base.interrupts import Crashed
from durable_django.engine import faults
from durable_django.models import Event, Workflow
from durable_django.testing import run_until_idle, travel
from tests.behaviour.support import acting, row, waiting
from tests.sample.branching import child, mark, waiting_child
from tests.sample.looping import acts_in_async
from tests.sample.promises import acts_itself

#: In each run of the suite; others come in other runs.
PROGRAMS = 2
LAST_DISTURBANCE_SECONDS = 60
#: When to look: every second at first; later so often that the shorter of two delays is over before the longer one.
LOOKS = (*range(LAST_DISTURBANCE_SECONDS), *range(LAST_DISTURBANCE_SECONDS, 2500, 5))
PUBLISHER = "publisher"


class Program:
    """Some calls, some of which are branches of more; run by a workflow of either kind."""

    def __init__(self, chance, depth=0):
        verbs = ["mark", "sleep", "receive", "child", "event", "events", "status", "first", "all", "now", "send"]
        verbs += ["gather"] * (3 if depth < 2 else 0)
        self.calls = [(chance.choice(verbs), chance.randrange(4)) for _number in range(chance.randint(1, 4))]
        self.branches = [Program(chance, depth + 1) for _number in range(2)] if depth < 2 else []

    def run(self, path=""):
        return [self.call(verb, number, f"{path}/{at}") for at, (verb, number) in enumerate(self.calls)]

    def call(self, verb, number, path):
        if verb == "gather":
            return durable.gather(*(partial(each.run, f"{path}.{at}") for at, each in enumerate(self.branches)))
        if verb in {"first", "all"}:
            handles = [child.using(delay=delay).start(delay) for delay in (9, 3)]
            found = [durable.wait_first(handles)] if verb == "first" else durable.wait_all(handles) or handles
            return [each.result() for each in found]
        return {
            "mark": lambda: mark(path),
            "sleep": lambda: durable.sleep(5 + number),
            "receive": lambda: durable.receive(f"t{number}", 30, default="none"),
            "child": lambda: child(number),
            "event": lambda: durable.get_event(PUBLISHER, f"e{number}", 20, default="none"),
            "events": lambda: durable.get_events(PUBLISHER),
            "status": lambda: WorkflowHandle(PUBLISHER).status,
            "now": lambda: durable.now() and None,
            "send": lambda: durable.send(PUBLISHER, number, "unread"),
        }[verb]()

    async def arun(self, path=""):
        return [await self.acall(verb, number, f"{path}/{at}") for at, (verb, number) in enumerate(self.calls)]

    async def acall(self, verb, number, path):
        if verb == "gather":
            branches = [partial(each.arun, f"{path}.{at}") for at, each in enumerate(self.branches)]
            return await durable.agather(*branches)
        if verb in {"first", "all"}:
            handles = [await child.using(delay=delay).astart(delay) for delay in (9, 3)]
            found = [await durable.await_first(handles)] if verb == "first" else handles
            await durable.await_all(handles if verb == "all" else [])
            return [await each.aresult() for each in found]
        if verb == "status":
            return (await WorkflowHandle(PUBLISHER).arefresh()).status
        if verb == "now":
            return await durable.anow() and None
        return await {
            "mark": lambda: mark.acall(path),
            "sleep": lambda: durable.asleep(5 + number),
            "receive": lambda: durable.areceive(f"t{number}", 30, default="none"),
            "child": lambda: child.acall(number),
            "event": lambda: durable.aget_event(PUBLISHER, f"e{number}", 20, default="none"),
            "events": lambda: durable.aget_events(PUBLISHER),
            "send": lambda: durable.asend(PUBLISHER, number, "unread"),
        }[verb]()


def kill(chance, _handle):
    """Run on, but let the worker die before one of the engine's next questions to the database."""
    answered, left = faults.until_answered, [chance.randint(1, 30)]

    def die_in_time(*args):
        left[0] -= 1
        if left[0] == 0:
            raise Crashed
        return answered(*args)

    with mock.patch.object(faults, "until_answered", die_in_time):
        run_until_idle()


def stop(chance, handle):
    """Pause or cancel the workflow itself, look whether it stands still, and let it go on."""
    workflow = row(handle)
    stopped = workflow.pause() if chance.random() < 0.5 else workflow.cancel(children=False)
    run_until_idle()
    if stopped:
        row(handle).resume()


class ARandomProgram(TestCase):
    def outcome(self, definition, body, seed, disturbances):
        """Return how it ends, and its history; what it has done is rolled back."""
        chance, savepoint = random.Random(seed), transaction.savepoint()
        waiting(waiting_child.using(id=PUBLISHER), "told")
        Event.objects.create(workflow_id=PUBLISHER, key="e0", value='"there"')
        with acting(body):
            handle = definition.start()
            for second in LOOKS:
                # Who dies so often must not be given up.
                Workflow.objects.update(max_recoveries=10**6)
                with travel(seconds=second):
                    if disturbances and second < LAST_DISTURBANCE_SECONDS:
                        chance.choice(disturbances)(chance, handle)
                    run_until_idle()
                if row(handle).is_finished:
                    break
        found = row(handle).status, row(handle).output or row(handle).reason or row(handle).error
        steps = list(handle.workflow.steps.order_by("branch", "position").values_list("branch", "position", "name"))
        transaction.savepoint_rollback(savepoint)
        return found, steps

    def compare(self, *disturbances):
        for definition, method in ((acts_itself, "run"), (acts_in_async, "arun")):
            for _number in range(PROGRAMS):
                seed = random.randrange(10**6)
                body = getattr(Program(random.Random(seed)), method)
                expected = self.outcome(definition, body, seed, ())
                with self.subTest(definition=definition, seed=seed):
                    self.assertEqual("succeeded", expected[0][0], expected)
                    self.assertEqual(expected, self.outcome(definition, body, seed, disturbances))

    def test_that_is_killed_again_and_again_ends_the_same(self):
        """With the same result and history, whatever it was in the middle of."""
        self.compare(kill, lambda _chance, _handle: None)

    def test_that_is_stopped_again_and_again_ends_the_same(self):
        """Paused, or cancelled and resumed, while it waits."""
        self.compare(stop, lambda _chance, _handle: None)
