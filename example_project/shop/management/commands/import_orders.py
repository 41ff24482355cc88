"""manage.py import_orders [file]: import orders and report the lines that cannot be."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from example_project.shop.catalogue import load_products
from example_project.shop.importing import ORDERS_FILE, Problem, UnreadableFile, import_orders


class Command(BaseCommand):
    help = "Import orders from a CSV file; lines that cannot be imported are reported and left out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, default=ORDERS_FILE)

    def handle(self, *_args: Any, file: Path, **_options: Any) -> None:
        load_products()
        try:
            report = import_orders(file)
        except (UnreadableFile, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{report.imported} orders imported, {report.already_known} known already.")
        self._tell("broken", report.broken)
        self._tell("duplicate", report.duplicates)

    def _tell(self, kind: str, problems: list[Problem]) -> None:
        for problem in problems:
            self.stdout.write(self.style.WARNING(f"  line {problem.line}, {kind}: {problem.reason}"))
