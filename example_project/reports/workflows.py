"""
What the shop does by the clock.

The report of a day is owed whatever happens: if no worker runs at half past two, it is made later, and if none runs for
a week, seven are made. Supplies are looked for once an hour, but never by two runs at once, which would both see the
same gap on the shelf and fill it twice.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from durable_django import schedule, step, workflow
from example_project.reports.models import DailyReport, Supply
from example_project.shop.models import Order, Product

#: Where the shop is: its days begin and end there.
SHOP_ZONE = "Europe/Berlin"
FEWEST, DELIVERED = 5, 20


@schedule("30 2 * * *", timezone=SHOP_ZONE, catch_up="all")
@workflow
def report_yesterday(scheduled_at: datetime) -> date:
    """
    Report the day before the tick. Return that day.

    The tick comes in the shop's own zone. On the night in spring that has no half past two it comes at three, on the
    one in autumn that has two, once.
    """
    day = scheduled_at.date() - timedelta(days=1)
    write_report(day)
    return day


@step(atomic=True)
def write_report(day: date) -> None:
    """Count the orders of a day; a report that is made again is the same row."""
    begin = datetime.combine(day, time(), ZoneInfo(SHOP_ZONE))
    end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(SHOP_ZONE))
    orders = Order.objects.filter(created_at__gte=begin, created_at__lt=end)
    paid = orders.filter(state=Order.State.PAID)
    DailyReport.objects.update_or_create(day=day, defaults={"orders": orders.count(), "paid": paid.count()})


@schedule("0 * * * *", overlap="skip", jitter=60)
@workflow
def restock() -> list[str]:
    """Fill up what runs out. Return what was supplied."""
    short = find_short()
    for sku in short:
        supply(sku)
    return short


@step
def find_short() -> list[str]:
    """Return the products of which few are left."""
    return list(Product.objects.filter(stock__lt=FEWEST).values_list("sku", flat=True))


@step(atomic=True)
def supply(sku: str) -> None:
    """Order units of a product and put them on the shelf, both or nothing."""
    product = Product.objects.get(sku=sku)
    Supply.objects.create(product=product, quantity=DELIVERED)
    product.put_back(DELIVERED)
