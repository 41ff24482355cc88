"""manage.py rundemo: the shop to look at, with provider, worker and web server, until Ctrl-C."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from example_project.demo.processes import ProcessEnded, Processes

LOOK_SECONDS = 0.5


class Command(BaseCommand):
    help = "Migrate, create the user demo (password demo), import the orders, then run provider, worker and web server."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *_args: Any, port: int, **_options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        _create_user()
        call_command("import_orders", stdout=self.stdout)
        address = f"127.0.0.1:{port}"
        self.stdout.write(
            f"\n  Shop   http://{address}/\n  Admin  http://{address}/admin/   user demo, password demo\n"
        )
        self.stdout.flush()
        try:
            _run(address)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        except ProcessEnded as error:
            raise CommandError(str(error)) from error


def _create_user() -> None:
    users = get_user_model().objects
    if not users.filter(username="demo").exists():
        users.create_superuser("demo", "demo@shop.example", "demo")


def _run(address: str) -> None:
    with Processes() as processes:
        port = urlsplit(settings.PAYMENT_PROVIDER_URL).port
        processes.start_provider(settings.PAYMENT_PROVIDER_LEDGER, port or 0)
        processes.manage("worker", "worker")
        processes.manage("runserver", "runserver", address)
        while True:
            processes.require_alive()
            time.sleep(LOOK_SECONDS)
