"""manage.py demo: hundreds of checkouts, a killed worker, and the sums that must come out right."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from example_project.demo.processes import ProcessEnded
from example_project.demo.scenario import DemoFailed, Scenario
from example_project.demo.workspace import Workspace


class Command(BaseCommand):
    help = (
        "Import orders, check them out with two workers, kill one of them, and check every sum. Exits 1 if one is off."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--folder", type=Path, help="an empty folder to run in, instead of a temporary one")
        parser.add_argument("--keep", action="store_true", help="keep the folder with database, e-mails and logs")

    def handle(self, *_args: Any, folder: Path | None, keep: bool, **_options: Any) -> None:
        workspace = Workspace((folder or Path(tempfile.mkdtemp(prefix="durable-demo-"))).resolve())
        if not workspace.is_current:
            self._begin_again_in(workspace, keep=keep or folder is not None)
        is_right = self._play(workspace)
        if keep or not is_right:
            self.stdout.write(f"\nEverything is in {workspace.folder}")
        else:
            shutil.rmtree(workspace.folder)
        if not is_right:
            raise CommandError("The demo did not come out right.")

    def _begin_again_in(self, workspace: Workspace, *, keep: bool) -> None:
        """Replace this process by one whose settings point into the folder; settings cannot be changed once read."""
        self.stdout.flush()
        arguments = ["demo", "--folder", str(workspace.folder), *(["--keep"] if keep else [])]
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        os.execve(sys.executable, command, workspace.environment())  # noqa: S606 - this very command

    def _play(self, workspace: Workspace) -> bool:
        scenario = Scenario(workspace, self._tell)
        try:
            checks = scenario.run()
        except (DemoFailed, ProcessEnded) as error:
            self.stderr.write(f"{error}\n{workspace.log_tails()}")
            return False
        is_right = all(check.holds for check in checks)
        self._tell(f"\n{'All sums are right' if is_right else 'A sum is OFF'}, after {scenario.elapsed:.1f} s.")
        return is_right

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
