"""The story of the demo, from an empty folder to the sums."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from example_project.demo.crash import Crash, crash
from example_project.demo.processes import Child, Processes
from example_project.demo.progress import Progress
from example_project.demo.sums import Check, Sums
from example_project.demo.timeline import timeline
from example_project.demo.workspace import Workspace
from example_project.provider.ledger import Ledger
from example_project.shop.catalogue import load_products
from example_project.shop.importing import import_orders
from example_project.shop.models import Order
from example_project.shop.ordering import start_checkout

LIMIT_SECONDS = 110.0
LOOK_SECONDS = 0.1
TELL_SECONDS = 1.0
KILL_AT_SHARE = 0.4
THREADS = 4


class DemoFailed(Exception):
    """The demo did not come to its end."""


class Scenario:
    """One run. `tell` takes each line of the story."""

    def __init__(self, workspace: Workspace, tell: Callable[[str], object]) -> None:
        self.workspace = workspace
        self.tell = tell
        self.began = time.monotonic()
        self.told = 0.0
        self.processes = Processes(workspace.environment())

    def run(self) -> list[Check]:
        """Play it all and return the checks, which were told as well."""
        self.prepare()
        with self.processes:
            self.processes.start_provider(settings.PAYMENT_PROVIDER_LEDGER)
            ledger = Ledger(settings.PAYMENT_PROVIDER_LEDGER)
            self.start_checkouts()
            self.start_worker("worker-1")
            victim = self.start_worker("worker-2")
            self.watch_until(KILL_AT_SHARE)
            found = self.kill(victim, ledger)
            self.start_worker("worker-3")
            self.watch_until(1)
            codes = self.processes.stop()
        sums = Sums.read(ledger, Path(settings.EMAIL_FILE_PATH), found)
        ledger.close()
        return self.report(sums, codes)

    def prepare(self) -> None:
        """Make the database and import the orders."""
        call_command("migrate", verbosity=0, interactive=False)
        load_products()
        report = import_orders()
        self.say(f"imported {report.imported} orders into {self.workspace.database}")
        for problem in report.broken:
            self.say(f"  line {problem.line} is broken: {problem.reason}")
        for problem in report.duplicates:
            self.say(f"  line {problem.line} is a duplicate: {problem.reason}")

    def start_checkouts(self) -> None:
        """Start every checkout: one row each, and nobody there yet to run it."""
        orders = list(Order.objects.imported())
        for order in orders:
            start_checkout(order)
        Order.objects.begin_checkout()
        self.say(f"started {len(orders)} checkouts")

    def start_worker(self, name: str) -> Child:
        """Start a worker process that logs to its own file."""
        log = self.workspace.log(name)
        child = self.processes.manage(name, "worker", "--threads", str(THREADS), "--name", name, log=log)
        self.say(f"started {name}, process {child.process.pid}")
        return child

    def watch_until(self, share: float) -> None:
        """Tell the progress every second until so many of the workflows have ended."""
        while True:
            progress = Progress.read()
            is_there = progress.finished >= share * progress.total
            self.tell_progress(progress, is_due=is_there)
            if is_there:
                return
            self.processes.require_alive()
            if self.elapsed > LIMIT_SECONDS:
                message = f"The checkouts did not end within {LIMIT_SECONDS:.0f} seconds."
                raise DemoFailed(message)
            time.sleep(LOOK_SECONDS)

    def tell_progress(self, progress: Progress, *, is_due: bool) -> None:
        """Tell it, but not more often than once a second unless it is due."""
        if is_due or self.elapsed - self.told >= TELL_SECONDS:
            self.told = self.elapsed
            self.say(str(progress))

    def kill(self, victim: Child, ledger: Ledger) -> Crash:
        """Kill a worker with SIGKILL in the middle of its work."""
        self.processes.forget(victim)
        found = crash(victim, ledger)
        self.say(f"KILLED {victim.name} with SIGKILL (supervisor {victim.process.pid}, children {found.pids})")
        self.say(f"  it was running {', '.join(found.held)}")
        self.say(f"  charged at the provider, but not recorded here: {', '.join(found.charged) or 'none'}")
        return found

    def report(self, sums: Sums, codes: dict[str, int]) -> list[Check]:
        """Tell the table, the timeline of a recovered workflow and the checks."""
        self.tell("")
        for label, number in sums.rows():
            self.tell(f"  {label:<32}{number:>6}")
        self.tell("")
        for row in self.pick_recovered(sums.crash):
            self.tell(f"  {row}")
        self.tell("")
        checks = [*sums.checks(), Check("the workers left in peace (exit code 0)", not any(codes.values()))]
        for check in checks:
            self.tell(f"  {'ok ' if check.holds else 'OFF'}  {check.text}")
        return checks

    def pick_recovered(self, found: Crash) -> list[str]:
        """Return the timeline of the most telling recovered workflow: one that was charged unrecorded, if any."""
        recovered = sorted(found.recovered(), key=lambda workflow: workflow.pk not in found.charged)
        return list(timeline(recovered[0])) if recovered else []

    @property
    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self.began

    def say(self, text: str) -> None:
        """Tell a line with the time before it."""
        self.tell(f"[{self.elapsed:5.1f} s] {text}")
