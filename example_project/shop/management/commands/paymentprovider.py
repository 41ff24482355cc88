"""manage.py paymentprovider: run the payment provider of the example."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand

from example_project.provider.server import run


class Command(BaseCommand):
    help = "Run the payment provider, which fails and is late at times; its ledger lies beside the database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=int, default=urlsplit(settings.PAYMENT_PROVIDER_URL).port, help="0: a free one"
        )

    def handle(self, *_args: Any, port: int, **_options: Any) -> None:
        run(
            port=port,
            ledger_path=settings.PAYMENT_PROVIDER_LEDGER,
            webhook_url=settings.PAYMENT_WEBHOOK_URL,
            secret=settings.PAYMENT_WEBHOOK_SECRET,
            announce=self.stdout.write,
        )
