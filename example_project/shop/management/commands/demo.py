"""manage.py demo: hundreds of checkouts, a killed worker, and the sums that must come out right."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from example_project.demo.failures import DemoFailed
from example_project.demo.processes import PROJECT
from example_project.demo.scenario import Scenario
from example_project.demo.workspace import Workspace

FEWEST_ORDERS = 30


class Command(BaseCommand):
    help = (
        "Import orders, check them out with two workers, kill one of them, and check every sum. Exits 1 if one is off."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=_order_count, help="check out so many only, for a shorter demo")
        parser.add_argument("--folder", type=Path, help="an empty folder to run in, instead of a temporary one")
        parser.add_argument("--keep", action="store_true", help="keep the folder with database, e-mails and logs")

    def handle(self, *_args: Any, orders: int | None, folder: Path | None, keep: bool, **_options: Any) -> None:
        workspace = Workspace(folder or Path(tempfile.mkdtemp(prefix="durable-demo-")))
        if not workspace.is_current:
            self._begin_again_in(workspace, orders=orders, keep=keep or folder is not None)
        is_right, is_kept = False, keep
        try:
            is_right = self._play(workspace, orders)
            is_kept = keep or not is_right
        except KeyboardInterrupt:
            raise CommandError("Interrupted; everything was stopped.", returncode=128 + signal.SIGINT) from None
        finally:
            self._leave(workspace, is_kept=is_kept)
        if not is_right:
            raise CommandError("The demo did not come out right.")

    def _begin_again_in(self, workspace: Workspace, *, orders: int | None, keep: bool) -> None:
        """Replace this process by one whose settings point into the folder; settings cannot be changed once read."""
        try:
            workspace.require_empty()
        except DemoFailed as error:
            raise CommandError(str(error)) from error
        arguments = ["demo", "--folder", str(workspace.folder)]
        arguments += [f"--orders={orders}"] if orders else []
        arguments += ["--keep"] if keep else []
        command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
        os.execve(sys.executable, command, workspace.environment())  # noqa: S606 - this very command

    def _play(self, workspace: Workspace, orders: int | None) -> bool:
        scenario = Scenario(workspace, self._tell, orders)
        try:
            checks = scenario.run()
        except DemoFailed as error:
            self.stderr.write(f"{error}\n{workspace.log_tails()}")
            return False
        is_right = all(check.holds for check in checks)
        self._tell(f"\n{'All sums are right' if is_right else 'A sum is OFF'}, after {scenario.elapsed:.1f} s.")
        return is_right

    def _leave(self, workspace: Workspace, *, is_kept: bool) -> None:
        if is_kept:
            self.stdout.write(f"\nEverything is in {workspace.folder}")
        else:
            shutil.rmtree(workspace.folder)

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _order_count(text: str) -> int:
    if not text.isdecimal() or int(text) < FEWEST_ORDERS:
        message = f"expected a whole number from {FEWEST_ORDERS}: fewer end before a worker can be killed"
        raise ArgumentTypeError(message)
    return int(text)
