"""Two projects on one set of tables: each runs what is its own, and leaves to the other what is the other's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from durable_django import get_handle
from durable_django.models import Queue, Schedule, Worker, Workflow
from tests.commands.support import ended
from tests.crashes.harness import LIMIT_SECONDS, CrashTestCase, WorkerUnderTest, wait_until

BAKERY, FLORIST = "bakery", "florist"


def surroundings(project: str) -> dict[str, str]:
    """Return the environment of a process of that project."""
    return {"DJANGO_SETTINGS_MODULE": f"tests.neighbours.{project}.settings"}


class NeighboursTestCase(CrashTestCase):
    def worker_of(self, project: str, *arguments: str) -> WorkerUnderTest:
        return self.start_worker("--name", project, *arguments, environment=surroundings(project))

    def migrate(self, project: str) -> None:
        """Run its `migrate`, which has nothing to migrate, but says what its code declares."""
        command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(command, env={**os.environ, **surroundings(project)}, check=True, timeout=LIMIT_SECONDS)

    def ask(self, project: str, *arguments: str) -> Any:
        """Return what the command of that project says to a program."""
        done = ended(*arguments, "--json", environment=surroundings(project))
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout)

    def start(self, project: str, name: str, workflow_id: str) -> None:
        """Start a workflow of that project, with the number 0."""
        self.ask(project, "start", name, "--id", workflow_id, "--args", "[0]")


class Workers(NeighboursTestCase):
    def test_claim_what_their_own_code_knows(self):
        """Also from a queue of the same name: each workflow is claimed once, by its own project."""
        self.worker_of(BAKERY)
        self.worker_of(FLORIST)

        self.start(BAKERY, "bakery.deliver", "b-0")
        self.start(FLORIST, "florist.deliver", "f-0")
        self.start(BAKERY, "bakery.bake", "b-1")
        self.wait_for_end()

        results = [get_handle(each).result() for each in ("b-0", "f-0", "b-1")]
        self.assertEqual(["bread 0 delivered", "bouquet 0 delivered", "bread of dough 0"], results)
        self.assertEqual({1}, set(Workflow.objects.values_list("attempt", flat=True)))
        labels = dict(Workflow.objects.values_list("pk", "application"))
        self.assertEqual({"b-0": BAKERY, "b-1": BAKERY, "f-0": FLORIST}, labels)

    def test_leave_what_only_others_know(self):
        """It waits until one of its own project comes, who takes it up within seconds."""
        florist = self.worker_of(FLORIST)
        self.start(BAKERY, "bakery.deliver", "b-0")
        wait_until(lambda: Workflow.objects.filter(waiting_for="code").exists(), "the florist has put it aside")
        before = Workflow.objects.get()

        self.worker_of(BAKERY)
        self.wait_for_end()

        self.assertEqual(("queued", 0), (before.status, before.attempt))
        self.assertEqual("bread 0 delivered", get_handle("b-0").result())
        self.assertEqual(0, florist.stop())


class Declarations(NeighboursTestCase):
    def declared(self, project: str) -> list[dict[str, Any]]:
        """Return the rows that only this project declares, but for when its own workers look at its schedules next."""
        queues = {BAKERY: ("bakery", "ovens"), FLORIST: ("florist", "vases")}[project]
        rows = [*Queue.objects.filter(pk__in=queues).order_by("pk").values()]
        rows += Schedule.objects.filter(name__startswith=project).order_by("pk").values()
        return [{key: value for key, value in row.items() if key not in {"next_at", "fired_until"}} for row in rows]

    def test_of_others_are_neither_edited_nor_retired(self):
        """Whether the other project migrates or boots, and in whatever order."""
        self.migrate(BAKERY)
        bakery = self.declared(BAKERY)
        self.migrate(FLORIST)
        florist = self.declared(FLORIST)

        self.worker_of(BAKERY).stop()
        self.worker_of(FLORIST).stop()
        self.migrate(BAKERY)

        self.assertEqual((3, 3), (len(bakery), len(florist)))
        self.assertEqual((bakery, florist), (self.declared(BAKERY), self.declared(FLORIST)))
        labels = dict(Schedule.objects.filter(name__endswith="-morning").values_list("name", "application"))
        self.assertEqual({"bakery-morning": BAKERY, "florist-morning": FLORIST}, labels)
        self.assertFalse(Schedule.objects.filter(name__endswith="-morning", is_retired=True).exists())

    def test_of_the_same_queue_are_one_row(self):
        """Its limits count for both; an operator's edit outlives both."""
        self.migrate(BAKERY)
        self.migrate(FLORIST)
        declared = Queue.objects.get(pk="deliveries").concurrency
        Queue.objects.filter(pk="deliveries").edit(concurrency=7)
        self.migrate(BAKERY)
        self.migrate(FLORIST)

        self.assertEqual((2, 7), (declared, Queue.objects.get(pk="deliveries").concurrency))


class Commands(NeighboursTestCase):
    def test_tell_of_both_and_of_one(self):
        """Lists are about all, and about one project with --application; so are the verbs."""
        self.start(BAKERY, "bakery.deliver", "b-0")
        self.start(FLORIST, "florist.deliver", "f-0")
        self.worker_of(BAKERY, "--exclude-queues", "deliveries")
        self.worker_of(FLORIST, "--exclude-queues", "deliveries")

        rows = self.ask(FLORIST, "list")
        own = self.ask(FLORIST, "list", "--application", BAKERY)
        queues = self.ask(FLORIST, "queues")
        workers = self.ask(FLORIST, "workers")
        of_bakery = self.ask(FLORIST, "workers", "--application", BAKERY)
        cancelled = self.ask(FLORIST, "cancel", "--application", BAKERY, "--yes")

        self.assertEqual({"b-0": BAKERY, "f-0": FLORIST}, {row["id"]: row["application"] for row in rows})
        self.assertEqual(["b-0"], [row["id"] for row in own])
        self.assertLessEqual({"ovens", "vases", "deliveries"}, {row["name"] for row in queues})
        self.assertEqual({BAKERY, FLORIST}, {row["application"] for row in workers})
        self.assertEqual([BAKERY], [row["name"] for row in of_bakery])
        self.assertEqual(({"cancelled": 1}, "queued"), (cancelled, Workflow.objects.get(pk="f-0").status))
        self.assertEqual(2, Worker.objects.alive().count())
