"""The story of the demo, from an empty folder to the sums."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from durable_django.models import Schedule, Worker, Workflow
from example_project.demo.crash import Crash, crash
from example_project.demo.failures import TookTooLong
from example_project.demo.processes import Child, Processes, free_port, webhook_url_at
from example_project.demo.progress import Progress
from example_project.demo.sums import Check, Sums
from example_project.demo.workspace import Workspace
from example_project.provider.ledger import Ledger
from example_project.shop.catalogue import load_products
from example_project.shop.importing import import_orders
from example_project.shop.models import Order
from example_project.shop.ordering import start_pending_checkouts
from example_project.shop.timeline import timeline

LIMIT_SECONDS = 100.0
LOOK_SECONDS = 0.1
TELL_SECONDS = 1.0
KILL_AT_SHARE = 0.4
THREADS = 4
#: How the processes leave that have no handler for SIGTERM.
LEAVES_WITH = {"web": -signal.SIGTERM}


class Scenario:
    """
    One run.

    tell    takes each line of the story
    orders  how many orders are checked out; None is all of the file
    """

    def __init__(self, workspace: Workspace, tell: Callable[[str], object], orders: int | None = None) -> None:
        self.workspace = workspace
        self.tell = tell
        self.orders = orders
        self.began = time.monotonic()
        self.told = 0.0
        self.processes = Processes(workspace.environment())

    def run(self) -> list[Check]:
        """Play it all and return the checks, which were told as well. Raises DemoFailed if it cannot go on."""
        self.prepare()
        with self.processes, Ledger(settings.PAYMENT_PROVIDER_LEDGER) as ledger:
            self.start_provider_and_web()
            self.start_worker("worker-1")
            victim = self.start_worker("worker-2")
            self.wait_for_workers(2)
            self.say(f"started {start_pending_checkouts()} checkouts")
            self.watch_until(KILL_AT_SHARE)
            found = self.kill(victim, ledger)
            self.start_worker("worker-3")
            self.watch_until(1)
            codes = self.processes.stop()
            sums = Sums.read(ledger, Path(settings.EMAIL_FILE_PATH), found)
        return self.report(sums, codes)

    def prepare(self) -> None:
        """Make the database and import the orders."""
        call_command("migrate", verbosity=0, interactive=False)
        # Supplies on the full hour would be in the sums.
        Schedule.objects.pause()
        load_products()
        report = import_orders()
        self.say(f"imported {report.imported} orders into {self.workspace.database}")
        for problem in report.broken:
            self.say(f"  line {problem.line} is broken: {problem.reason}")
        for problem in report.duplicates:
            self.say(f"  line {problem.line} is a duplicate: {problem.reason}")
        if self.orders is not None:
            kept = Order.objects.values_list("pk", flat=True)[: self.orders]
            Order.objects.exclude(pk__in=list(kept)).delete()

    def start_provider_and_web(self) -> None:
        """Start the provider, and the web server to which it sends its webhooks."""
        port = free_port(0)
        self.processes.start_provider(
            settings.PAYMENT_PROVIDER_LEDGER, webhook_url=webhook_url_at(port), secret=settings.PAYMENT_WEBHOOK_SECRET
        )
        self.processes.start_web(port, "--noreload", log=self.workspace.log("web"))
        self.say(f"started the payment provider, and a web server for its webhooks at {webhook_url_at(port)}")

    def start_worker(self, name: str) -> Child:
        """Start a worker that logs to its own file."""
        options = ("--threads", str(THREADS), "--grace", "10", "--name", name)
        child = self.processes.manage(name, "worker", *options, log=self.workspace.log(name))
        self.say(f"started {name}, process {child.process.pid}")
        return child

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers are ready: both are to have a share of the work."""
        while Worker.objects.alive().count() < count:
            self.pause()

    def watch_until(self, share: float) -> None:
        """Tell the progress every second until so many of the workflows have ended."""
        while (progress := Progress.read()).share < share:
            if self.elapsed - self.told >= TELL_SECONDS:
                self.tell_progress(progress)
            self.pause()
        self.tell_progress(progress)

    def pause(self) -> None:
        """Wait a moment. Raises DemoFailed if a process has ended, or the demo has taken too long."""
        self.processes.require_alive()
        if self.elapsed > LIMIT_SECONDS:
            raise TookTooLong(LIMIT_SECONDS)
        time.sleep(LOOK_SECONDS)

    def kill(self, victim: Child, ledger: Ledger) -> Crash:
        """Kill a worker with SIGKILL in the middle of its work."""
        found = crash(victim, ledger)
        self.processes.forget(victim)
        pids = ", ".join(map(str, found.pids))
        self.say(f"KILLED {victim.name} with SIGKILL: its supervisor {victim.process.pid} and its process {pids}")
        self.say(f"  it was running {', '.join(found.held)}")
        self.say(f"  charged at the provider, but not recorded here: {', '.join(found.charged) or 'none'}")
        return found

    def report(self, sums: Sums, codes: dict[str, int]) -> list[Check]:
        """Tell the table, the timeline of a recovered workflow and the checks."""
        is_peace = all(code == LEAVES_WITH.get(name, 0) for name, code in codes.items())
        checks = [*sums.checks(), Check("every process left in peace", is_peace)]
        self.tell("")
        for label, number in sums.rows():
            self.tell(f"  {label:<32}{number:>6}")
        self.tell("")
        for line in _timeline_of_recovered(sums.crash):
            self.tell(f"  {line}")
        self.tell("")
        for check in checks:
            self.tell(f"  {'ok ' if check.holds else 'OFF'}  {check.text}")
        return checks

    def tell_progress(self, progress: Progress) -> None:
        """Tell how far the checkouts are."""
        self.told = self.elapsed
        self.say(str(progress))

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self.began

    def say(self, text: str) -> None:
        """Tell a line with the time before it."""
        self.tell(f"[{self.elapsed:5.1f} s] {text}")


def _timeline_of_recovered(found: Crash) -> Iterator[str]:
    """Yield the steps of the most telling recovered workflow: one that was charged unrecorded, if there is one."""
    recovered = sorted(found.recovered(), key=lambda workflow: workflow.pk not in found.charged)
    for workflow in recovered[:1]:
        yield from _timeline(workflow, found)


def _timeline(workflow: Workflow, found: Crash) -> Iterator[str]:
    yield f"{workflow.pk}: {workflow.status} in attempt {workflow.attempt}"
    yield f"{'position':>8}  {'step':<20} {'attempt':>7} {'retries':>7} {'start':>9} {'took':>9}"
    lost_attempt, is_lost = found.attempts[workflow.pk], False
    for step in timeline(workflow):
        if step.attempt > lost_attempt and not is_lost:
            is_lost = True
            yield f"{'':>8}  -- {found.worker} is killed; attempt {step.attempt} answers what is above from its rows --"
        times = f"{step.start:>7.2f} s {step.took or 0:>7.2f} s"
        yield f"{step.position:>8}  {step.name:<20} {step.attempt:>7} {step.retries:>7} {times}"
