"""The sums after the demo: what the shop's tables, the provider's ledger and the e-mails say, and whether it agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db.models import Count, F, Sum

from durable_django.models import Message, Step, StreamEntry, Workflow
from example_project.demo.crash import Crash
from example_project.provider.ledger import Ledger
from example_project.provider.ledger import Sums as LedgerSums
from example_project.shop.catalogue import read_products
from example_project.shop.models import Order, Product, Reservation, Shipment

State = Order.State


@dataclass(frozen=True)
class Check:
    """One comparison; it must hold whatever was killed when."""

    text: str
    holds: bool


@dataclass(frozen=True)
class Sums:
    """Everything that is counted, read once after all processes have ended."""

    orders: dict[str, int]
    workflows: int
    finished: int
    reservations: int
    shipments: int
    paid_cents: int
    is_stock_right: bool
    ledger: LedgerSums
    emails: Counter[str]
    webhooks: int
    looks: int
    repeated_news: int
    crash: Crash
    recovered: int

    @classmethod
    def read(cls, ledger: Ledger, mail_folder: Path, crash: Crash) -> Sums:
        """Count everything."""
        return cls(
            orders=Order.objects.count_by_state(),
            workflows=Workflow.objects.count(),
            finished=Workflow.objects.finished().count(),
            reservations=Reservation.objects.count(),
            shipments=Shipment.objects.count(),
            paid_cents=_paid_cents(),
            is_stock_right=_is_stock_right(),
            ledger=ledger.sums(),
            emails=_count_emails(mail_folder),
            webhooks=Message.objects.filter(received_at__isnull=False).count(),
            looks=Step.objects.filter(name="look_up_charge").values("workflow").distinct().count(),
            repeated_news=_count_repeated_news(),
            crash=crash,
            recovered=len(crash.recovered()),
        )

    @property
    def total(self) -> int:
        """All orders."""
        return sum(self.orders.values())

    def count(self, state: str) -> int:
        """Orders in a state."""
        return self.orders.get(state, 0)

    @property
    def email_copies(self) -> int:
        """E-mails beyond the first with the same Message-ID."""
        return self.emails.total() - len(self.emails)

    def rows(self) -> Iterator[tuple[str, int]]:
        """Yield the lines of the table."""
        yield "orders", self.total
        yield "  paid", self.count(State.PAID)
        yield "  refunded", self.count(State.REFUNDED)
        yield "  failed", self.count(State.FAILED)
        yield "reservations", self.reservations
        yield "shipments", self.shipments
        yield "charges at the provider", self.ledger.charges
        yield "refunds at the provider", self.ledger.refunds
        yield "webhooks received", self.webhooks
        yield "  provider asked, as none came", self.looks
        yield "e-mails", len(self.emails)
        yield "  sent again after the crash", self.email_copies
        yield "duplicates (charged twice)", self.ledger.charged_twice
        yield "recovered workflows", self.recovered
        yield "  charged, but not recorded", len(self.crash.charged)

    def checks(self) -> Iterator[Check]:
        """Yield what must hold."""
        paid, charged = self.count(State.PAID), self.count(State.PAID) + self.count(State.REFUNDED)
        yield Check("every order has one workflow, and all have ended", self.total == self.workflows == self.finished)
        yield Check("every order is paid, refunded or failed", self.total == charged + self.count(State.FAILED))
        yield Check("one reservation for each paid order", self.reservations == paid)
        yield Check("stock and reservations add up to the stock at the start", self.is_stock_right)
        yield Check("one shipment for each paid order", self.shipments == paid)
        yield Check("one charge for each order paid or refunded", self.ledger.charges == charged)
        yield Check("no order is charged twice", self.ledger.charged_twice == 0)
        yield Check("one refund for each refunded order", self.ledger.refunds == self.count(State.REFUNDED))
        yield Check("charges less refunds are the amounts of the paid orders", self.paid_cents == self._kept_cents)
        yield Check("one confirmation for each paid order", len(self.emails) == paid)
        yield Check("no news told twice in a page", self.repeated_news == 0)
        # Recorded after it is sent: each workflow in flight may have sent its e-mail and not lived to say so.
        yield Check("no e-mail sent again but by a recovered workflow", self.email_copies <= len(self.crash.held))
        yield Check("every workflow of the killed worker was recovered", 0 < self.recovered == len(self.crash.held))

    @property
    def _kept_cents(self) -> int:
        return self.ledger.charged_cents - self.ledger.refunded_cents


def _paid_cents() -> int:
    amount = Order.objects.filter(state=State.PAID).aggregate(sum=Sum("amount"))["sum"]
    return int((amount or 0) * 100)


def _is_stock_right() -> bool:
    reserved = Reservation.objects.values_list("order__product__sku").annotate(Sum("order__quantity"))
    now: Counter[str] = Counter(dict(Product.objects.values_list("sku", F("stock"))))
    now.update(dict(reserved))
    return now == Counter({product.sku: product.stock for product in read_products()})


def _count_repeated_news() -> int:
    news = StreamEntry.objects.order_by().values("workflow", "key", "value")
    return news.annotate(copies=Count("pk")).filter(copies__gt=1).count()


def _count_emails(folder: Path) -> Counter[str]:
    """Count the e-mails of the folder by Message-ID."""
    prefix = "Message-ID: "
    lines = (line for path in folder.glob("*") for line in path.read_text().splitlines())
    return Counter(line.removeprefix(prefix) for line in lines if line.startswith(prefix))
