"""worker/pool.py: threads that run claimed workflows, each its own, and suspects alone."""

import threading
from unittest import mock

from django.db import connections
from django.test import SimpleTestCase

from durable_django import signals
from durable_django.base.interrupts import EngineFailed
from durable_django.engine import attempts
from durable_django.engine.ownership import Ownership
from durable_django.models import Workflow
from durable_django.worker.pool import Pool
from tests.behaviour.support import eventually


class Runs:
    """Stands in for attempts.attempt(): each run is held until it is let go, or raises."""

    def __init__(self):
        self.running = []
        self.ended = []
        self.most = 0
        self.gates = {}
        self.errors = {}
        self.lock = threading.Lock()

    def gate(self, name):
        return self.gates.setdefault(name, threading.Event())

    def __call__(self, workflow, _owner, _alias):
        with self.lock:
            self.running.append(workflow.pk)
            self.most = max(self.most, len(self.running))
        try:
            if workflow.pk in self.errors:
                raise self.errors[workflow.pk]
            self.gate(workflow.pk).wait(30)
        finally:
            with self.lock:
                self.running.remove(workflow.pk)
                self.ended.append(workflow.pk)


class PoolTestCase(SimpleTestCase):
    databases = {"default"}

    def setUp(self):
        self.runs = Runs()
        patched = mock.patch.object(attempts, "attempt", self.runs)
        patched.start()
        self.addCleanup(patched.stop)
        self.owner = Ownership("w")
        self.freed, self.interrupted = [], []
        self.pool = Pool("default", 2, lambda: self.freed.append(1), lambda: self.interrupted.append(1))
        self.addCleanup(self.stop)

    def stop(self):
        for gate in self.runs.gates.values():
            gate.set()
        self.pool.stop()
        for thread in self.pool._threads:
            thread.join(30)

    def take(self, *names):
        self.pool.take([Workflow(pk=name) for name in names], self.owner)

    def let_go(self, name):
        self.runs.gate(name).set()
        eventually(lambda: name in self.runs.ended, f"{name} ended")


class APool(PoolTestCase):
    def test_knows_how_many_it_can_take(self):
        """Each workflow takes a slot until it has ended, and then says that one is free."""
        counts = [self.pool.free]
        self.take("a")
        counts.append(self.pool.free)
        self.take("b")
        counts.append(self.pool.free)
        self.let_go("a")
        eventually(lambda: self.freed, "the pool said that it is free")
        counts.append(self.pool.free)

        self.assertEqual([2, 1, 0, 1], counts)

    def test_runs_as_many_as_it_has_threads(self):
        """At the same time."""
        self.take("a", "b")

        eventually(lambda: self.runs.most == 2, "both ran")

    def test_outlives_what_its_workflows_raise(self):
        """Errors of the engine and exceptions of any kind end no thread; they are told, and looked after as strays."""
        heard = []

        def hear(what, error, **_facts):
            heard.append((what, type(error)))

        signals.worker_failed.connect(hear)
        self.addCleanup(signals.worker_failed.disconnect, hear)
        for number, error in enumerate((LookupError("x"), SystemExit(1), EngineFailed(ValueError()), GeneratorExit())):
            self.runs.errors[str(number)] = error
            self.take(str(number))
            eventually(lambda: self.pool.free == 2, "the slot is free again")
        self.take("after")
        self.let_go("after")

        self.assertEqual([LookupError, SystemExit, EngineFailed, GeneratorExit], [kind for _what, kind in heard])
        self.assertEqual("running workflow 0", heard[0][0])
        self.assertTrue(self.owner.has_strays.is_set())
        self.assertTrue(all(thread.is_alive() for thread in self.pool._threads))

    def test_holds_nothing_that_no_attempt_was_made_of(self):
        """Else nobody would take it for a stray: the row would say for ever that it runs."""
        self.runs.errors["a"] = LookupError("x")
        self.owner.held.add(("a", 0))
        self.take("a")
        eventually(lambda: self.pool.free == 2, "the slot is free again")

        self.assertEqual((set(), True), (self.owner.held, self.owner.has_strays.is_set()))

    def test_passes_a_keyboard_interrupt_on(self):
        """To the process, which shuts down as for INT; the thread itself goes on."""
        self.runs.errors["a"] = KeyboardInterrupt()
        self.take("a")
        eventually(lambda: self.interrupted, "the process was told")
        eventually(lambda: self.pool.free == 2, "the slot is free again")

        self.assertFalse(self.owner.has_strays.is_set())

    def test_ends_its_threads_as_they_become_idle(self):
        """stop() waits for nobody."""
        self.take("a")
        self.pool.stop()
        self.let_go("a")
        for thread in self.pool._threads:
            thread.join(30)

        self.assertFalse(any(thread.is_alive() for thread in self.pool._threads))
        self.assertTrue(connections["default"])


class ASuspect(PoolTestCase):
    def test_runs_alone(self):
        """Nothing is taken beside it, however many threads there are; then the pool is open again."""
        self.pool.take_alone(Workflow(pk="suspect"), self.owner)
        eventually(lambda: "suspect" in self.runs.running, "the suspect runs")
        alone = (self.pool.free, self.pool.busy, self.pool.is_alone)
        self.let_go("suspect")
        eventually(lambda: self.freed, "the pool said that it is free")

        self.assertEqual((0, 1, True), alone)
        self.assertEqual((2, 0, False), (self.pool.free, self.pool.busy, self.pool.is_alone))
