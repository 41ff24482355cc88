"""What a florist does."""

from __future__ import annotations

from durable_django import Queue, Rate, schedule, workflow

vases = Queue("vases", concurrency=5, rate=Rate(100, per=60))
#: The bakery declares it as well.
deliveries = Queue("deliveries", concurrency=2)


@schedule("30 6 29 2 *", name="florist-morning", queue="vases")
@workflow(name="florist.water", queue="vases")
def water() -> str:
    return "watered"


@workflow(name="florist.deliver", queue="deliveries")
def deliver(number: int) -> str:
    return f"bouquet {number} delivered"
