"""The folder in which a demo runs: database, ledger, e-mails and logs, all of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from example_project.demo.failures import DemoFailed


@dataclass(frozen=True)
class Workspace:
    """A fresh folder. The settings derive every other path from the database in it."""

    folder: Path

    def require_empty(self) -> None:
        """Make the folder. Raises DemoFailed if there is something in it: the sums of two runs would be mixed up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            message = f"{self.folder} is not empty. Name another folder, or none for a temporary one."
            raise DemoFailed(message)

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder.resolve() / "demo.sqlite3"

    def environment(self) -> dict[str, str]:
        """Return the environment for a process that works in here."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "example_project.settings",
            "DEMO_DATABASE": str(self.database),
            "DEMO_DEBUG": "0",
        }

    @property
    def is_current(self) -> bool:
        """Whether the settings of this process point in here."""
        return Path(str(settings.DATABASES["default"]["NAME"])) == self.database

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.folder / f"{name}.log"

    def log_tails(self, lines: int = 15) -> str:
        """Return the last lines of every log."""
        tails = []
        for path in sorted(self.folder.glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            tails.append("\n".join([f"--- {path.name}", *tail]))
        return "\n".join(tails)
