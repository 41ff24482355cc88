"""What a bakery does."""

from __future__ import annotations

from durable_django import Queue, schedule, step, workflow

ovens = Queue("ovens", concurrency=1)
#: The florist declares it as well.
deliveries = Queue("deliveries", concurrency=2)


@step
def knead(number: int) -> str:
    return f"dough {number}"


@schedule("0 4 29 2 *", name="bakery-morning")
@workflow(name="bakery.bake", queue="ovens")
def bake(number: int = 1) -> str:
    return f"bread of {knead(number)}"


@workflow(name="bakery.deliver", queue="deliveries")
def deliver(number: int) -> str:
    return f"bread {number} delivered"


@workflow(name="bakery.burn")
def burn() -> None:
    message = "the oven was too hot"
    raise ValueError(message)
