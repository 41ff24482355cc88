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

from durable_django.models import Worker
from example_project.demo.failures import DemoFailed
from example_project.demo.processes import HOST, Processes, free_port, webhook_url_at
from example_project.inbox.mailbox import fetch_letters
from example_project.mailing.sample import make_clubs
from example_project.shop.models import Order

LOOK_SECONDS = 0.5

BANNER = """
  Shop       http://{host}:{port}/
  Inbox      http://{host}:{port}/inbox/   user demo, password demo, here and in the admin
  Documents  http://{host}:{port}/documents/
  Newsletter http://{host}:{port}/newsletter/
  Mailing    http://{host}:{port}/mailing/
  Admin      http://{host}:{port}/admin/
  E-mails    {mails}

  Check out the orders, kill the worker meanwhile (kill -9 {worker}), and watch the next one go on.
  Ctrl-C ends everything; the database stays: {database}
"""


class Command(BaseCommand):
    help = (
        "Migrate, create the user demo (password demo), import the orders, fetch the letters, make the clubs, "
        "then run provider, worker and web server."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the web server; another if it is taken (8000)")

    def handle(self, *_args: Any, port: int, **_options: Any) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        _create_user()
        if not Order.objects.exists():
            call_command("import_orders", stdout=self.stdout)
        fetch_letters()
        make_clubs()
        try:
            with Processes() as processes:
                self._run(processes, free_port(port))
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        except DemoFailed as error:
            raise CommandError(str(error)) from error

    def _run(self, processes: Processes, port: int) -> None:
        processes.start_provider(
            settings.PAYMENT_PROVIDER_LEDGER,
            webhook_url=webhook_url_at(port),
            secret=settings.PAYMENT_WEBHOOK_SECRET,
            port=free_port(urlsplit(settings.PAYMENT_PROVIDER_URL).port or 0),
        )
        processes.manage("worker", "worker")
        processes.start_web(port)
        self._show_banner(port, _wait_for_worker(processes))
        while True:
            processes.require_alive()
            time.sleep(LOOK_SECONDS)

    def _show_banner(self, port: int, worker: Worker) -> None:
        self.stdout.write(
            BANNER.format(
                host=HOST,
                port=port,
                mails=settings.EMAIL_FILE_PATH,
                worker=worker.pid,
                database=settings.DATABASES["default"]["NAME"],
            )
        )
        self.stdout.flush()


def _wait_for_worker(processes: Processes) -> Worker:
    while (worker := Worker.objects.alive().order_by("-started_at").first()) is None:
        processes.require_alive()
        time.sleep(LOOK_SECONDS)
    return worker


def _create_user() -> None:
    users = get_user_model().objects
    if not users.filter(username="demo").exists():
        users.create_superuser("demo", "demo@shop.example", "demo")
